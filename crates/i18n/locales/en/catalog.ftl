### First page, catalogue, dataset, SQL.

home-title = Open government data
home-headline = See the shape of the city, and no single person in it
home-lead = Open data to download at once. Data about people and firms are computed on for you in the sandbox, which gives back statistics with their margin of error.
home-all = All datasets
home-open = Open data only
home-sandbox-link = How the sandbox works
home-numbers = The portal in figures
home-number-datasets = public datasets
home-number-open = unconditionally open
home-number-departments = departments
home-number-downloads = downloads so far
home-number-jobs = sandbox results released
home-number-ledger = ledger records
home-themes = Browse by theme
home-latest = Released lately
home-none = No dataset is public yet.
home-how = How it is open and safe at once
home-how-classify = Classified
home-how-classify-text = Every dataset and every field has a level. What is harmless is opened at once; nothing else leaves.
home-how-compute = Computation comes to the data
home-how-compute-text = Approved firms send SQL; the sandbox runs it and returns noised statistics, with a mathematical guarantee of privacy.
home-how-account = On record
home-how-account-text = Who was allowed what is in a public, tamper-evident ledger that anyone can verify.
list-title = Datasets
list-title-query = Results for “{ $query }”
list-count =
    { $count ->
        [one] { $count } dataset
       *[other] { $count } datasets
    }
list-filters = Narrow down
list-apply = Apply
list-sort = Sort by
list-sort-button = Sort
list-sort-relevance = relevance
list-sort-updated = last update
list-sort-title = title
list-updated = updated { $date }
list-active = Chosen filters
list-remove = remove
list-remove-all = Clear all
list-empty = No dataset fits
list-empty-words = Try other or fewer words: “bus” rather than “urban bus line operation”.
list-empty-filters = Clear the filters and search all datasets
list-empty-browse = Browse all datasets
list-pages = Pages
list-previous = Previous
list-next = Next
dataset-download = Download
dataset-download-note = Ranges and strong ETags are supported; add .sha256 to a file's address for its checksum.
dataset-apply = How to use these data
dataset-apply-l2 = Firms state purpose and safeguards; once approved they query the protected cube.
dataset-apply-l3 = Firms state purpose and safeguards; an approved project gets a privacy budget and runs SQL in the sandbox. You never see rows; you get statistics with 95 % intervals.
dataset-special = Special data (health, finance, minors): results are looked at by two checkers as well.
dataset-apply-button = Apply for access
dataset-apply-who = Sign in as an enterprise analyst to apply.
dataset-apply-how = About the sandbox
dataset-dummy = Dummy data
dataset-dummy-note = Rows made from the declaration alone, to develop queries against; nothing in them comes from the data.
dataset-closed = Not opened
dataset-announced = Not released yet
dataset-announced-text = The entry is public; no version of the data has passed review yet.
dataset-retired = This dataset is retired
dataset-manage = Edit the entry
dataset-preview = Preview
dataset-fields = Fields
dataset-profile = Column profiles
dataset-code = Code examples
dataset-code-choose = Choose a tool
dataset-code-sql = Or ask it right here:
dataset-versions = Versions
dataset-facts = At a glance
dataset-department = Department
dataset-theme = Theme
dataset-license = Licence
dataset-update-cycle = Updated
dataset-rows = Rows
dataset-region = Region
dataset-resource-code = Resource code
dataset-contact = Contact
dataset-sql-name = Name in SQL
dataset-keywords = Keywords
dataset-level = Level
dataset-format = Format
fields-caption = Fields of this dataset
fields-count =
    { $count ->
        [one] { $count } field
       *[other] { $count } fields
    }
field-name = Name
field-type = Type
field-role = Role
field-level = Level
field-range = Range or values
field-unit-static = one value per unit
field-domain-count =
    { $count ->
        [one] { $count } value
       *[other] { $count } values
    }
profile-nulls = Missing
profile-distinct = Distinct
profile-least = Least
profile-greatest = Greatest
profile-histogram = Distribution of { $column }
profile-table = { $column } as a table
profile-value = Value
profile-count = Rows
versions-caption = Released versions, newest first
version-number = Version
version-state = State
version-date = Date
version-rows = Rows
open-sql-title = SQL over open data
open-sql-lead = Every unconditionally open dataset is a table to join and aggregate as you like. Nothing can be changed.
open-sql-limits = A query may take { $seconds } seconds and return { $rows } rows.
open-sql-memory = It may use { $memory } of memory.
sql-label = SQL
sql-run = Run
sql-run-keys = or Ctrl + Enter
sql-error = The query was not run
sql-place = Where
sql-line-column = line { $line }, column { $column }
sql-rule = Rule
sql-hint = What to do
sql-result = Result
sql-result-count =
    { $count ->
        [one] { $count } row in { $milliseconds } ms
       *[other] { $count } rows in { $milliseconds } ms
    }
sql-truncated = Cut off at { $rows } rows.
sql-tables = Tables
sql-tables-none = No dataset is open yet.
