### Why something was not done, said to its reader.

## The request itself.

why-not-found = There is no such { $what }.
why-thing-page = page
why-thing-task = task
why-thing-dataset = dataset
why-thing-declaration = declaration
why-thing-version = version
why-thing-open-version = open version
why-thing-request = request
why-thing-access-request = access request
why-thing-project = project
why-thing-job = job
why-thing-receipt = receipt
why-thing-token = token
why-thing-account = account
why-thing-organization = organisation
why-thing-user = user
why-thing-tile = tile
why-thing-download-format = download format
why-thing-row = row
why-thing-other = thing
why-sign-in = Sign in to do this.
why-nobody = Nobody is signed in.
why-denied = Your roles, or this token’s scopes, do not allow this.
why-roles = Your roles do not allow this.
why-token = The bearer token is unknown, revoked or expired.
why-scheme = Use Authorization: Bearer with an API token.
why-stale-form = The form does not belong to this session; load it again.
why-other-site = The form was sent from another site; send it from here.
why-sent-already = This form was sent already and is still at work; look at the project’s jobs.
why-revision-number = revision is a whole number.
why-form-type = Forms are sent as application/x-www-form-urlencoded.
why-form-too-long = The form is too long; it holds at most { $limit }.
why-multipart = The multipart form cannot be read: { $reason }
why-json-type = Send the body as Content-Type: application/json.
why-json-too-long = A JSON body has at most { $limit } bytes.
why-json-object = The JSON body is a list; an object with named fields is needed.
why-json = The JSON body is wrong at line { $line }, column { $column }: { $reason }
why-json-fields = { $count ->
        [one] One value in the body breaks a rule: see errors.
       *[other] { $count } values in the body break a rule: see errors.
    }
why-query = The query parameters are wrong: { $reason }
why-path = The address is wrong: { $reason }
why-parameter = { $name }: “{ $got }” is not one that is known.
why-limit = limit is 1 to { $most }; got { $got }.
why-if-match-missing = Send If-Match with the revision you read (the ETag of the GET).
why-if-match = If-Match holds the revision as "7".
why-changed-meanwhile = It was changed meanwhile; read it again and decide anew.
why-key = Idempotency-Key has 1 to 255 visible ASCII characters.
why-key-at-work = The first request with this key is still at work; ask again in a moment.
why-key-used = This key was used with another request; use a new key for a new request.
why-cursor = The cursor is not one that this list gave out.
why-too-slow = The answer took too long; try again.
why-body-too-slow = The body did not arrive within { $seconds } s.
why-wasm = kind "wasm" is sent as multipart/form-data with its module.
why-accept = Answers come as { $known }.
why-range = The file has { $length } bytes.
why-other-file = The file is another one by now.
why-no-checkpoint = The log’s first checkpoint is not signed yet.
why-no-level = The dataset has no level yet; edit the entry and classify it and its fields first.

## Uploads.

why-upload-cut = The upload broke off after { $got }; send it again.
why-upload-cut-of = The upload broke off after { $got } of { $announced }; send it again.
why-options = options: { $reason }
why-part-twice = The form has more than one part "file".
why-part-missing = The form has no part "file".
why-part-too-long = The part { $part } of the form is over { $limit }.
why-part-text = The part { $part } of the form is not UTF-8.
why-too-many-parts = The form has too many fields before its file.
why-upload-gone = The uploaded file is not kept any more; upload it again.
why-upload-confirmed = This file was confirmed already.

## Names, levels, values.

why-slug = A slug has 2 to 80 of a-z, 0-9 and single hyphens and begins with a letter; got “{ $given }”.
why-id = { $kind } must be a UUID such as 0190a1b2-…; got “{ $given }”.
why-level = A level is one of L1, L2, L3, L4; got “{ $given }”.
why-word = “{ $given }” is not a word that is known; known: { $known }.
why-text-empty = The Chinese text (zh) must not be empty.
why-text-too-long = A text has at most { $limit } characters; got { $got }.
why-text-control = A text must not contain control characters ({ $character }).
why-field-name = A field name has 1 to 128 bytes and no control characters; got “{ $given }”.
why-bounds = Bounds need finite lo ≤ hi within ±1e15; got { $lo } to { $hi }.
why-number = “{ $given }” is not a number.
why-domain-size = A domain lists 1 to { $limit } values; got { $got }.
why-domain-twice = A domain lists each value once; “{ $value }” stands twice.
why-domain-value = A domain’s values have 1 to 256 bytes; got “{ $value }”.

## Entries and declarations.

why-keyword-count = There are at most 30 keywords; got { $got }.
why-keyword = A keyword has 1 to 40 characters; got “{ $word }”.
why-region = region is a GB/T 2260 code of 6, 9 or 12 digits; got “{ $given }”.
why-entry-too-long = { $field } has at most { $max } characters; got { $got }.
why-field-count = A dataset declares 1 to { $limit } fields; got { $got }.
why-field-twice = The field name “{ $name }” stands twice (names differ by more than case).
why-bounds-on-text = Field “{ $name }”: bounds are for integer and number fields.
why-domain-on-number = Field “{ $name }”: a domain of texts is for text fields.
why-unit-keys = Exactly one field has the role unit_key when a unit of type { $unit } is declared; found { $found }.
why-key-declared = Field “{ $name }”: a unit key or direct identifier takes no bounds, domain or unit_static.
why-static-without-unit = Field “{ $name }”: unit_static needs a declared unit.
why-off-ladder = { $what } must be on the ladder 1, 2, 5, 10, 20, 50 … up to { $limit }; got { $got }.
why-rows-per-unit = max_rows_per_unit must be 1 to { $limit }, and 1 where each row is a unit; got { $got }.
why-zone = The zone “{ $zone }” is not in the IANA time zone database.
why-dictionary = The dictionary cannot be read: { $reason }
why-dictionary-header = The dictionary’s first line names its columns: name, label_zh, label_en, type, role, level, lo, hi, domain, unit_static, measure
why-level-below-field = The dataset’s level { $level } is below that of a field ({ $least }); a dataset is at least as sensitive as its fields.
why-unit-of-open = An open dataset (L1) declares no privacy unit; data about units is L2 or higher.
why-file-name = The file name “{ $name }” cannot be taken: it has 1 to 200 characters without / \ : and control characters.
why-search-page = Page { $number } of { $size } is out of bounds: a page holds 1 to { $most } entries and the last is entry { $window }; narrow the search instead.
why-search-filter = The filter on { $facet } has { $count } values; at most { $most } are allowed.
why-slug-taken = The slug “{ $slug }” is taken; choose another.
why-retired = The dataset is retired and takes no more versions.
why-not-opened = An L4 dataset is a catalogue entry with a reason; its data is not uploaded.
why-no-unit = An L2 or L3 dataset declares its privacy unit and fields before its file: edit the entry first.
why-too-many-uploads = Too many uploads to this dataset at once; try again.
why-released = Level, declaration and the special mark cannot change after release; retire the dataset and make a new entry.
why-release-requested = A release request is open: level and declaration are what the reviewers look at; withdraw it first.

## What is in a file.

why-ingest-empty = The file is empty; export it again and check its size before uploading.
why-ingest-header-only = The file has no rows below its header; protected data and data without declared types need some.
why-ingest-not-tabular = This is { $found }, not CSV or Parquet.
why-ingest-encoding = Line { $line }, near byte { $byte } of the file: the text is not valid { $encoding }; save it as UTF-8 or name its encoding.
why-ingest-nul = Line { $line }: there is a NUL byte; the file is binary, damaged or UTF-16 without its mark.
why-ingest-ragged-row = Line { $line }: the row has { $got } values where the first one has { $wanted }; check delimiters and quotes.
why-ingest-record-too-long = Line { $line }: the record is longer than { $limit } bytes; is a line end or a closing quote missing?
why-ingest-field-too-long = Line { $line }, column { $column }: the value is longer than { $limit } bytes; leave it out or shorten it.
why-ingest-unterminated-quote = Line { $line }: a quote opens and the file ends before it closes; the file may be cut off: upload it again.
why-ingest-stray-quote = Line { $line }, column { $column }: there is text after a closing quote; write a quote within quotes twice.
why-ingest-column-name = Column { $column }: the header cannot name a column (1 to 128 bytes, no control characters).
why-ingest-duplicate-column = Columns { $first } and { $second } have the same name but for case; rename one.
why-ingest-reserved-column = Column { $column }: names that begin with two underscores are the portal’s own; rename it.
why-ingest-too-many-columns = The file has more than { $limit } columns; check the delimiter, or split the table.
why-ingest-missing-column = The declared column “{ $name }” is not in the file; correct the header or the declaration.
why-ingest-undeclared-column = Column { $column } of the file is not declared; declare it or remove it from the file.
why-ingest-value = Line { $line }, column “{ $name }”: the value is no { $expected }. { $advice }
why-ingest-unsupported-column = Column “{ $name }” has a Parquet type that a table cannot hold (nested, binary or interval); leave it out.
why-ingest-truncated = The Parquet file has no footer: it was cut off; upload it again.
why-ingest-broken-parquet = The Parquet file is damaged or uses something unknown; write it again with a current tool.
why-ingest-row-group-too-large = A row group of the Parquet file has a column over { $limit } bytes; write smaller row groups.
why-ingest-needs-declaration = Data of level L2 or L3 needs declared metadata with a privacy unit (each row may be one) before its file.
why-ingest-wrong-level = Data of this level, or with a field above it, cannot be published here; check the levels.
why-ingest-too-many-rows = The file has more rows than the { $limit } declared; declare more (it goes to review) or split the data.
why-ingest-too-many-units = The file has more units than the { $limit } declared; declare more (it goes to review).
why-ingest-no-valid-unit = No row has a valid unit key; check that the declared key column holds ID numbers or codes of its type.
why-ingest-unit-not-static = Field “{ $name }” is declared as one value per unit, but { $units } units have several (a missing value counts).
why-ingest-option = The delimiter must be one ASCII character.
why-ingest-cancelled = Reading was cancelled; upload it again.
why-ingest-unavailable = The portal could not read the file because of a fault of its own; upload it again.
why-foreign-workbook = an Excel workbook (xlsx; export the sheet as CSV in UTF-8)
why-foreign-old-office = an old Excel or Word file (export the sheet as CSV in UTF-8)
why-foreign-zip = a zip archive (extract it and upload the file inside)
why-foreign-gzip = a gzip file (extract it and upload the file inside)
why-foreign-7z = a 7z archive (extract it and upload the file inside)
why-foreign-rar = a RAR archive (extract it and upload the file inside)
why-foreign-zstd = a zstd file (extract it and upload the file inside)
why-foreign-pdf = a PDF document (upload the table it was made from)
why-foreign-arrow = an Arrow file (write it as Parquet)
why-advice-integer = Write whole numbers without separators or units, or declare it as text.
why-advice-number = Write numbers with a decimal point, without separators or units, or declare it as text.
why-advice-boolean = Write true or false.
why-advice-date = Write YYYY-MM-DD.
why-advice-timestamp = Write YYYY-MM-DD HH:MM:SS.
why-advice-text = Write UTF-8 text.

## Storage and database.

why-storage-full = The storage is full; try again later, or tell the operator.
why-storage-too-large = The upload is over its limit of { $limit }; split the file or ask for a higher limit.
why-storage-name = “{ $name }” cannot name an object: lower-case letters, digits, “.”, “-” and “_” only, at most 128.
why-exists = There is such a record already.
why-linked = A record that this one belongs to does not exist, or others belong to it.
why-stale = It was changed by somebody else meanwhile; read it again.
why-purse = Too little is left of { $purse }.
why-purse-project = the project’s budget for the dataset
why-purse-everyone = the dataset’s budget over everyone
why-purse-reserved = what the dataset’s cap has left beside what is reserved for other projects
why-busy = The database cannot be used now; try again later.

## Accounts and tokens.

why-credentials = The user name or the password is wrong.
why-throttled = Too many failed attempts; try again in { $seconds } seconds.
why-taken = “{ $name }” is taken; choose another.
why-account-region = A region is a GB/T 2260 code of 6, 9 or 12 digits.
why-account-name = A person’s name has 1 to 80 characters.
why-account-username = A user name has 2 to 40 of a-z, 0-9, “.”, “_” and “-”, and begins with a letter.
why-account-role = The role “{ $role }” cannot be held in an organisation of this kind: { $kind }.
why-account-separate = One person cannot hold two of reviewer, auditor and admin (GB/T 39477-2020).
why-account-password = A password has at least { $least } characters and at most { $most } bytes.
why-token-name = A token’s name has 1 to 80 characters.
why-token-scope = A token needs at least one scope.
why-token-days = A token lives 1 to { $most } days; got { $got }.
why-token-count = At most { $most } tokens at once; withdraw one first.

## Requests and reviews.

why-text-length = { $field } has { $min } to { $max } characters and no control characters but line breaks; got { $got }.
why-text-note = The note
why-text-purpose = The purpose
why-text-safeguards = The safeguards
why-text-reason = The reason
why-days = days must be 1 to { $most }; got { $got }.
why-dataset-count = An access request names 1 to { $most } datasets; got { $got }.
why-dataset-twice = The dataset { $slug } is named twice.
why-budget-without-access = A budget goes with the approval of an access request, and with nothing else.
why-not-releasable = The dataset cannot be submitted for release: { $reason }
why-release-entry-changing = its entry was changed this moment; look at it again.
why-release-retired = it is retired.
why-release-unclassified = it has no level yet; classify it and its fields first.
why-release-no-unit = its privacy unit (person, enterprise, household, vehicle or row) is not declared.
why-release-no-recipe = its recipe (how the data was de-identified) is not described; the assessor needs it.
why-release-listed = it is L4 and listed already; its data is never released.
why-release-no-reason = an L4 entry says in its conditions why the data is not opened.
why-release-no-version = it has no version that was read; upload its file first.
why-release-old-declaration = version { $number } was read under an earlier declaration; upload it again.
why-release-still-reading = version { $number } is still being read; wait for it.
why-release-nothing-new = it has no version newer than { $number }.
why-not-applicable = { $slug } cannot be applied for: { $reason }
why-apply-open = it is open (L1) and needs no application.
why-apply-closed = it is not opened (L4).
why-apply-draft = it is not released.
why-apply-retired = it is retired.
why-release-open = A release request of this dataset is open already; wait for its decision or withdraw it.
why-opinion-missing = The assessor’s opinion is still missing; decide after it.
why-found-unsafe = The assessor found this unsafe, so it cannot be approved; return or reject it.
why-wrong-state = The request is in the state “{ $state }” and does not allow this any more.
why-request-stale = The request was changed meanwhile; read it again and decide on what it says now.
why-request-changed = What the request is about has changed: { $reason } Return it, so that it is asked anew.
why-change-edited = the entry was edited this moment.
why-change-level = the dataset has another level now.
why-change-version = version { $number } is in the state “{ $state }” now.
why-change-not-ready = the version is not ready any more.
why-budget-range = { $what } must be { $least } to { $most } by the policy in force; got { $got }.
why-budget-not-available = { $slug } has too little privacy budget left for this project: ε = { $asked } was to be granted, and at most ε = { $left } is neither promised to other projects nor spent for good; grant less, or wait until a project ends.

## Queries and jobs.

why-sql-too-long = The SQL has { $got } bytes; the limit is { $limit }.
why-sql-invalid = The SQL cannot be read. The engine says: { $reason }
why-sql-expected = Here { $wanted } should stand, not “{ $found }”.
why-sql-surplus = “{ $found }” and what follows cannot be read: what stands before is already a whole query.
why-sql-breaks-off = The query breaks off; { $wanted } is missing.
why-sql-open-text = A text does not end: its closing quote ' is missing.
why-sql-open-name = A name does not end: its closing quote " is missing.
why-sql-open-comment = A comment does not end: */ is missing.
why-sql-function = There is no function “{ $name }”.
why-sql-arguments = The function “{ $name }” does not take these arguments: their number or types do not fit.
why-sql-not-grouped = Column “{ $name }” stands neither in GROUP BY nor in an aggregate.
why-sql-ambiguous = More than one table has a column “{ $name }”.
why-sql-types = Values of these types cannot be computed with or compared.
why-sql-filter = WHERE takes no aggregates such as sum or count.
why-sql-union = The queries of a UNION have different numbers of columns.
why-sql-empty = There is no query.
why-sql-one = One query at a time, please.
why-sql-deep = The query is nested too deeply.
why-sql-zero = The query divides by zero.
why-sql-cast-integer = The text “{ $text }” is no integer.
why-sql-cast-number = The text “{ $text }” is no number.
why-sql-cast-date = The text “{ $text }” is no date.
why-sql-cast-time = The text “{ $text }” is no date and time.
why-sql-overflow = A result is larger than its type of number holds.
why-wish-expression = a column, value or expression
why-wish-query = a SELECT query
why-wish-name = a name
why-wish-type = a data type
why-wish-text = a text in single quotes
why-wish-number = a number
why-wish-end = the query’s end
why-wish-symbol = “{ $symbol }”
why-sql-expected-hint = Look at the place marked and the word before it: mostly a comma, a bracket or a key word is missing or too much.
why-sql-surplus-hint = Look before the place marked for a missing comma, operator or key word; run two queries one by one.
why-sql-breaks-off-hint = Complete it at the end: mostly a bracket is not closed, or nothing follows the last key word.
why-sql-open-hint = Close it. Texts stand in single quotes, and a single quote in a text is written twice; names stand in double quotes.
why-sql-function-hint = Check the spelling. The usual functions of PostgreSQL are there, such as count, avg, round, date_trunc and substr.
why-sql-arguments-hint = Compare the arguments with the types of the columns; CAST(column AS type) converts.
why-sql-not-grouped-hint = Put it into GROUP BY, or into an aggregate such as count, sum, avg, min or max.
why-sql-ambiguous-hint = Write the table before the column: table.column.
why-sql-types-hint = Convert them to one type: CAST(column AS type); “Tables” has the types of columns.
why-sql-filter-hint = Conditions on aggregates stand in HAVING.
why-sql-union-hint = Have every query select as many columns.
why-sql-other-hint = Compare tables, columns and types with “Tables”.
why-sql-one-hint = Write one SELECT; WITH puts several steps into one.
why-sql-deep-hint = Use fewer brackets or subqueries within each other; WITH writes them step by step.
why-sql-zero-hint = Write the divisor as NULLIF(divisor, 0): where it is zero the result is then missing.
why-sql-cast-hint = Keep the values that can be converted, or use TRY_CAST: the others become missing.
why-sql-overflow-hint = Convert first: CAST(column AS DOUBLE).
why-sql-table-hint = Compare with “Tables” or the SQL name on the dataset’s page; protected datasets can be asked in the sandbox only.
why-sql-no-column = No column can stand here, such as “{ $name }”.
why-sql-column-hint = Compare with the columns on the dataset’s page; names with capital letters or symbols stand in double quotes.
why-sql-column = There is no column “{ $name }”; the columns are: { $known }.
why-sql-statement = { $name } is not supported here: write one SELECT over open datasets.
why-sql-no-query = This kind of statement is not supported here: write one SELECT over open datasets.
why-sql-placeholder = Variables and parameters are not supported here: write the value itself.
why-sql-concatenation = The operator || is not supported here: write concat(a, b).
why-sql-in-filter = { $what } is not supported in a row filter: use POST /api/v1/sql for full queries.
why-construct-subquery = A subquery
why-construct-aggregate = An aggregate
why-construct-window = A window function
why-construct-unnest = unnest
why-sql-table = There is no open table “{ $name }”; a dataset’s SQL name is its slug with - as _.
why-sql-value = The query failed on a value. The engine says: { $reason }
why-sql-timeout = The query was stopped after { $seconds } s; filter more, or download the file.
why-sql-memory = The query needs more memory or temporary space than one query may have; group or sort fewer rows.
why-sql-busy = All places for queries are taken; try again in a few seconds.
why-epsilon = ε must be above 0 and at most { $most } for one job; got { $got }.
why-epsilon-small = ε = { $got } is too small to be counted; ask for more.
why-epsilon-or-precision = Give either epsilon or precision.
why-precision-form = A precision has half_width, or percent and of: percent of a value that you expect, since the true one is not told beforehand.
why-half-width = Half the width of an interval must be above 0; got { $got }.
why-precision-column = Say which column should be so exact: one of { $figures }.
why-precision-ranks = The error of { $column } is one of ranks, of which a percentage of a value is none: give half_width, in rows.
why-precision-in-ranks = ±{ $half_width } rows in rank needs more than ε = { $most }, the most for one job; with that it is ±{ $best } rows. Ask for fewer columns or coarser groups.
why-precision = ±{ $half_width } needs more than ε = { $most }, the most for one job; with that it is ±{ $best }. Ask for fewer columns or coarser groups.
why-no-budget = The project has no budget for this dataset.
why-budget-spent = Too little is left of { $purse }; at this ε it pays for { $left } more questions: ask with a smaller ε, or wait until earlier charges leave the window.
why-project-ended = The project has ended; its answers can still be read. Apply for access again to go on.
why-nothing-to-query = None of the project’s datasets can be queried now.
why-dummy-rows = rows is 1 to { $most }; got { $got }.
why-dummy-wide = The dataset has so many fields that at most { $most } dummy rows of them are made.
why-not-due = The answer is released at { $moment }.
why-withheld = The checkers of this special dataset did not release the answer; the job says why.
why-voted = You have voted on this answer; a vote is final.
why-seats-taken = The votes that you could give on this answer have been given.

## What the sandbox's rules say themselves.

why-said = { $text }
why-about = { $what } ({ $about })
