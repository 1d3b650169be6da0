### Review.

review-title = Requests
review-lead = Release and access requests by deadline. Nobody decides on their own organisation's request.
review-filter = Filter
review-open = Open
review-closed = Closed
review-checks = Answers to check
review-none = No requests
review-caption = Requests
review-subject = About
review-kind = Kind
review-kind-release = Release request
review-kind-access = Access request
review-from = From
review-state = State
review-submitted = Sent
review-due = Due
review-mine = Waits for you
review-overdue = Overdue
review-entry = Entry
review-rows =
    { $count ->
        [one] { $count } row
       *[other] { $count } rows
    }
review-special = Special
review-conditions = Conditions of use
review-why-closed = Why it is not opened
review-recipe = De-identification
review-profile-trusted = For the reviewers deciding this request only.
review-available = Budget that can still be granted
review-opinions = Opinions
review-advise = Give your opinion
review-advise-lead = Judge by declared metadata and recipe alone. Your opinion binds: what you find unsafe cannot be approved.
review-finding = Finding
review-reasons = Reasons
review-reasons-public = The reasons are told to those who asked.
review-advise-send = Give the opinion
review-decide = Decide
review-decision = Decision
review-blocked = An assessor found it unsafe, so it cannot be approved.
review-epsilon = Privacy budget ε
review-epsilon-hint = Needed to approve; at most { $most }.
review-days = Valid for days
review-decide-send = Decide
review-read = Where it stands
review-read-own = This is your own organisation's request: you cannot take part in deciding it.
review-read-not-yours = This request waits for somebody else.
review-read-closed = This request is closed.
review-course = Course
checks-title = Answers to check
checks-lead = Answers about special datasets are released only if two checkers find that they may be. Each votes without knowing the other's vote.
checks-none = No answer waits to be checked
check-title = An answer to check
check-answer = The noised answer
check-answer-lead = All that would be released, whatever the query shows of it. Every figure holds noise already; the interval says how much.
check-own-vote = Your vote
check-day = Fixed day
check-vote = Vote
check-vote-lead = All or nothing: the answer is released as it stands, or not at all. A vote is final.
check-verdict = May it be released?
check-reasons = Needed to withhold; the analyst reads it on the fixed day.
check-send = Vote
check-voted = The other vote and the outcome are known on the fixed day.
check-facts = What is known
check-blind = Why so little is shown
check-blind-lead = Who asked and what for plays no part: judge the figures by what everyone may know of the dataset.
