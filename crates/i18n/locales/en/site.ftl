### What pages say after an act, and beside what was done.

done-signed-out = You have signed out.
done-token-revoked = The token is revoked.
done-entry-saved = The entry is saved.
done-release-sent = The release request is sent.
done-opinion-given = Your opinion is given.
done-voted = Your vote is recorded.
done-decided = Your decision is on record.
done-access-sent = Your request is sent.
done-withdrawn = The request is withdrawn.
form-number = Give a number, such as 0.5.
form-number-range = Give a whole number from { $least } to { $most }.
form-length = Write { $least } to { $most } characters.
form-length-got =
    { $count ->
        [one] It has { $count } now.
       *[other] It has { $count } now.
    }
form-stale = Somebody changed the entry meanwhile. What you typed is still here; saving it again replaces their change.
review-stale = The request was changed meanwhile. Look at it as it stands now and decide again.
dataset-retired-on = It was taken out of use on { $date }.
dataset-retired-closed = The data are no longer offered; the entry stays as a record.
preview-caption =
    { $count ->
        [one] The first row
       *[other] The first { $count } rows
    }
estimate-too-much = The project's budget does not pay for this job. Ask with a smaller ε, or wait until earlier charges leave the window.
phase-wait = Waiting for its turn
phase-detect = Finding encoding, columns and types
phase-convert = Reading all rows
phase-cluster = Sorting rows by privacy unit
phase-distribute = Writing files for download
phase-publish = Storing the version
dropped-invalid-key = The unit key is missing or broken
dropped-over-cap = More rows of one unit than declared
check-reason = The conditions say why the data are not opened
check-not-listed = It is not in the catalogue yet
check-version = A newer version has been read and is ready
check-unit = The privacy unit is declared
check-recipe = The de-identification is described
check-declaration = The version was read under the present declaration
check-in-use = The dataset is in use
check-no-request = No other release request is open
history-asked = Asked
ledger-portal = The portal
act-account-created = Account opened
act-account-disabled = Account closed
act-organization-created = Organisation registered
act-role-granted = Role given
act-role-revoked = Role taken away
act-token-created = API token made
act-token-revoked = API token revoked
act-dataset-created = Entry made
act-dataset-retired = Dataset retired
act-version-published = Version released
act-release-requested = Release requested
act-opinion-given = Opinion given
act-release-decided = Release decided
act-access-requested = Access requested
act-access-decided = Access decided
act-request-withdrawn = Request withdrawn
act-project-opened = Project opened
act-project-closed = Project ended
act-job-charged = Job charged
act-job-released = Job released
act-job-checked = A checker voted
act-job-withheld = Answer withheld
act-policy-changed = Policy changed
act-promise-ended = Privacy promise ended

ledger-subject-job = job
ledger-subject-project = project
ledger-subject-dataset = dataset
ledger-subject-version = version
ledger-subject-request = request
ledger-subject-check = check
ledger-subject-tops-up = tops up job
ledger-subject-organization = organisation
ledger-subject-token = token
