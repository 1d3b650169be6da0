### The sandbox.

sandbox-title = Data sandbox
sandbox-lead = Data stay where they are; computation comes to them. You send SQL, the sandbox runs it on protected data and returns statistics with their margin of error.
sandbox-projects = Your projects
sandbox-projects-none = No projects yet. An approved request becomes one.
sandbox-requests = Your requests
sandbox-requests-caption = Access requests, newest first
sandbox-how = Four steps
sandbox-step-apply = Apply
sandbox-step-apply-text = Name datasets, purpose and safeguards. Once the bureau approves, your project has a privacy budget.
sandbox-step-write = Write
sandbox-step-write-text = Write SQL against the public schema: count rows or units, sum bounded columns, group by columns with declared values.
sandbox-step-estimate = Estimate
sandbox-step-estimate-text = Learn, without touching data, whether it can run, what it costs and how exact the result will be.
sandbox-step-result = Read the result
sandbox-step-result-text = At a fixed time the answer is there, every value with its 95 % interval, and a receipt that can be verified.
sandbox-datasets = Datasets to apply for
sandbox-datasets-none = There are none at present.
sandbox-datasets-all = { $count ->
    [one] The one dataset that can be applied for
   *[other] All { $count } datasets that can be applied for
}
sandbox-special = Special: results are checked
sandbox-promise = What is promised
sandbox-promise-text = Every privacy unit is protected by differential privacy: however one asks and whatever one knows already, results hardly depend on whether any one person's or firm's data are in.
sandbox-promise-limits = What all users together can learn of a dataset is capped, in a sliding window and over its lifetime.
sandbox-who = Enterprise analysts can apply after signing in.
access-title = Apply for conditional data
access-lead = The bureau answers within { $days } working days.
access-datasets = Datasets
access-datasets-hint = You may choose several.
access-purpose = Purpose
access-purpose-hint = Which question you want to answer, and where and for whom the results are used.
access-safeguards = Safeguards
access-safeguards-hint = Who uses the account, how results are kept, and how re-identification is prevented.
access-promise = We promise not to try to identify anyone and to use results for this purpose only.
access-send = Send the request
access-status-title = Access request
access-approved = Your request was approved; the project is ready.
access-open-project = Open the project
access-reason = Answer
access-asked = What was asked
access-number = Request number
access-withdraw = Withdraw the request
project-title = Sandbox project
project-expires = valid until { $date }
project-ended = ended on { $date }
project-jobs = Jobs
project-jobs-none = No jobs yet.
project-jobs-caption = Jobs, newest first
budget-title = Privacy budget
budget-bar = { $share } % spent
budget-left = ε = { $left } left of { $granted }
budget-jobs =
    { $count ->
        [one] About one more question of ε = { $epsilon }
       *[other] About { $count } more questions of ε = { $epsilon }
    }
budget-window = ε = { $spent } spent in the window of { $days } days
budget-explain = ε does not add up: accounts are kept in ρ, and many small questions together cost far less ε than their sum. Budget is never refunded; it returns when earlier charges leave the window.
job-new = New job
job-new-lead = Estimate first, then run. An estimate touches no data and costs nothing.
job-sql-hint = Aggregates: COUNT, SUM, AVG, MEDIAN, STDDEV, CORR and more; open data can be joined.
job-epsilon = ε for this job
job-epsilon-hint = More is more exact, less is cheaper; at most { $most } a job.
job-estimate = Estimate
job-run = Run and charge
job-precision = Start from a precision instead
job-precision-hint = Say how exact a figure must be: the smallest ε is found and estimated. Of a mean or a deviation it is meant for a cell of 100,000 rows, or of an equal share of the declared rows if that is less; of a median, in rows by rank.
job-half-width = 95 % interval ±
job-precision-column = Of the column
job-precision-find = Find the smallest ε
estimate-top-up = You have paid ρ = { $rho } for this answer already: only the difference is charged, and both are joined.
job-topped-up = Makes an answer more exact for which ρ = { $rho } had been paid:
job-topped-up-link = that job
job-run-note = Running charges the budget at once and for good; the same question asked again is free.
job-side = Budget and schema
job-rules = What can be asked
job-rule-aggregates = COUNT(*), COUNT(DISTINCT unit key), and SUM, AVG, MEDIAN, STDDEV, CORR of columns with bounds.
job-rule-group = Groups by columns with declared values all appear, empty ones too; values of other columns appear only where enough units have them.
job-rule-join = Results can be joined with each other and with open data; each aggregation has noise of its own, and they share the ε.
job-rule-bounds = Values beyond the declared bounds count as the bound.
job-rule-refused = Maximum, minimum, single rows and window functions are refused.
mechanism-discrete-gaussian = discrete Gaussian
mechanism-exponential = exponential
job-title = Sandbox job
job-asked = What was asked
job-submitted = Sent
job-due = Due
job-due-at = The answer is there at { $moment }
job-decided-at = It is released or withheld at { $moment }
job-withheld-title = Not released
job-withheld-lead = The checkers' reasons:
job-withheld-unchecked = Not both checkers had voted by the fixed day. Ask the same question again: it costs nothing, and the missing vote can still be given.
job-seconds-left = seconds left
job-fixed-time = The time was fixed when the job was sent and does not depend on the data.
job-number = Job number
job-free = Free (the same as an earlier job)
estimate-accepted = This can run
estimate-refused = The sandbox cannot run this
estimate-exhausted = Not enough privacy budget
estimate-repeat = This was answered before: asking again returns the same answer and costs nothing.
estimate-cost = Cost
estimate-after = Left afterwards
estimate-jobs = Questions of this kind
estimate-jobs-left =
    { $count ->
        [one] about one more afterwards
       *[other] about { $count } more afterwards
    }
estimate-due = Answer
estimate-about = About
estimate-about-units = only units whose { $field } is { $values }; questions about others share the budget with it
estimate-parts = Aggregations
estimate-parts-share = { $parts }, each with noise of its own, share the ε
estimate-shown = Groups shown
estimate-shown-from = those whose count of units, with noise, is at least { $units }; the rest are left out, and nothing tells how many
estimate-counted = Of one unit
estimate-counted-row = its only row counts
estimate-counted-group = up to { $rows } rows count, all in one group
estimate-counted-every = up to { $rows } rows count, in every group it is in
estimate-counted-chosen = up to { $rows } rows count, in at most { $groups } groups chosen at random; what it has in others is left out. If you group by dates or times, say in WHERE where they begin and end: less is left out
estimate-due-in = { $duration } after sending
estimate-checked = { $moment }, after two checkers have looked at it
estimate-errors = Expected error per cell
estimate-interval = 95 % interval
estimate-cells = Cells
estimate-by-rows = Where an error is told for a number of rows, ten times as many have a tenth of it.
estimate-untouched = These figures come from public declarations alone; no data were touched.
result-title = Result
result-lead = Random noise was added to every value; each has its 95 % interval.
result-left-out = Of each unit at most { $groups } groups count, chosen at random; what it has in others is left out. Counts and sums can be too low by that, and intervals do not show it. Fewer or coarser groups leave less out.
result-none = There is no group to show: those of few units do not appear. Group more coarsely, or give more ε.
estimate-at-rows = { $column } (for a group of { $rows } rows)
estimate-even-values = { $column } (for a group of { $rows } rows, values spread evenly over their bounds)
estimate-in-ranks = { $column } (in ranks: how many rows the value is off)
result-caption = Values with 95 % intervals
cell-other = (other)
cell-missing = (missing)
cell-missing-or-total = (total or missing)
cell-other-note = (other): all values outside those declared.
cell-missing-note = (missing): rows without a value.
cell-missing-or-total-note = (total or missing): totals over the column, or rows without a value; GROUPING(column) tells them apart.
result-interval = 95 % interval
result-csv = Download CSV
result-chart = { $column } with 95 % intervals
result-chart-note = Lines are 95 % intervals; the first 40 rows at most are drawn.
result-noise = Noise
result-mechanism = Mechanism
result-scale = Noise scale
receipt-title = Receipt
receipt-lead = Proves that this use is on the public ledger. It holds your nonce, which opens the ledger's commitment.
receipt-state = Proof
receipt-pending = Pending
receipt-proven = Proven
receipt-place = record { $index } of { $size }
receipt-download = Download the receipt
