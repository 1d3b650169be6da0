-- The whole schema of the first release. Words in braces are types that the two engines call differently
-- (see mod.rs). Times are microseconds since 1970 in UTC; ids are UUIDv7, so that the order of ids is the order
-- of creation and lists page by id. A unique constraint is named table_column…_key, as PostgreSQL would.

-- Who ------------------------------------------------------------------------------------------------------

CREATE TABLE organization (
    id {uuid} NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL CONSTRAINT organization_slug_key UNIQUE,
    name_zh TEXT NOT NULL,
    name_en TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('department', 'bureau', 'enterprise', 'assessor', 'public')),
    region TEXT,
    created_at {bigint} NOT NULL,
    revision {bigint} NOT NULL
) {strict};
CREATE INDEX organization_kind_id ON organization (kind, id);

CREATE TABLE "user" (
    id {uuid} NOT NULL PRIMARY KEY,
    username TEXT NOT NULL CONSTRAINT user_username_key UNIQUE,
    password_hash TEXT NOT NULL,
    display_name TEXT NOT NULL,
    organization_id {uuid} NOT NULL REFERENCES organization (id),
    created_at {bigint} NOT NULL,
    disabled_at {bigint},
    revision {bigint} NOT NULL
) {strict};
CREATE INDEX user_organization_id_id ON "user" (organization_id, id);

CREATE TABLE user_role (
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    role TEXT NOT NULL CHECK (role IN
        ('developer', 'analyst', 'officer', 'reviewer', 'assessor', 'auditor', 'admin')),
    CONSTRAINT user_role_user_id_role_key PRIMARY KEY (user_id, role)
) {strict};

-- The id is the SHA-256 of the secret in the cookie: who reads this table cannot sign in with it.
CREATE TABLE session (
    id {bytes} NOT NULL CONSTRAINT session_id_key PRIMARY KEY CHECK (length(id) = 32),
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    csrf_secret {bytes} NOT NULL CHECK (length(csrf_secret) = 32),
    created_at {bigint} NOT NULL,
    expires_at {bigint} NOT NULL,
    last_seen_at {bigint} NOT NULL
) {strict};
CREATE INDEX session_user_id ON session (user_id);
CREATE INDEX session_expires_at ON session (expires_at);

CREATE TABLE token (
    id {uuid} NOT NULL PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    name TEXT NOT NULL,
    secret_hash {bytes} NOT NULL CONSTRAINT token_secret_hash_key UNIQUE CHECK (length(secret_hash) = 32),
    scopes {json} NOT NULL,
    created_at {bigint} NOT NULL,
    expires_at {bigint} NOT NULL,
    revoked_at {bigint},
    last_used_at {bigint}
) {strict};
CREATE INDEX token_user_id_id ON token (user_id, id);

-- Failed sign-ins, by account and by address, each as a hash.
CREATE TABLE sign_in_throttle (
    subject {bytes} NOT NULL CONSTRAINT sign_in_throttle_subject_key PRIMARY KEY CHECK (length(subject) = 32),
    failures {bigint} NOT NULL CHECK (failures > 0),
    last_failed_at {bigint} NOT NULL,
    blocked_until {bigint} NOT NULL
) {strict};
CREATE INDEX sign_in_throttle_last_failed_at ON sign_in_throttle (last_failed_at);

-- Catalogue ------------------------------------------------------------------------------------------------

-- What outsiders together learn is counted here, over all versions, derivatives and re-imports (privacy.md).
-- "Remaining" is of the sliding window whose charges since window_start count; lifetime never comes back.
CREATE TABLE lineage (
    id {uuid} NOT NULL PRIMARY KEY,
    unit_type TEXT,
    rho_lifetime_cap_nano {bigint} NOT NULL CHECK (rho_lifetime_cap_nano >= 0),
    rho_lifetime_spent_nano {bigint} NOT NULL CHECK (rho_lifetime_spent_nano >= 0),
    delta_lifetime_cap_atto {bigint} NOT NULL CHECK (delta_lifetime_cap_atto >= 0),
    delta_lifetime_spent_atto {bigint} NOT NULL CHECK (delta_lifetime_spent_atto >= 0),
    rho_window_cap_nano {bigint} NOT NULL CHECK (rho_window_cap_nano >= 0),
    rho_remaining_nano {bigint} NOT NULL CHECK (rho_remaining_nano >= 0),
    rho_reserved_nano {bigint} NOT NULL CHECK (rho_reserved_nano >= 0),
    window_days {bigint} NOT NULL CHECK (window_days > 0),
    window_start {bigint} NOT NULL,
    created_at {bigint} NOT NULL,
    CHECK (rho_lifetime_spent_nano <= rho_lifetime_cap_nano),
    CHECK (delta_lifetime_spent_atto <= delta_lifetime_cap_atto),
    CHECK (rho_remaining_nano <= rho_window_cap_nano),
    CHECK (rho_reserved_nano <= rho_window_cap_nano)
) {strict};

CREATE TABLE dataset (
    id {uuid} NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL CONSTRAINT dataset_slug_key UNIQUE,
    origin TEXT,
    organization_id {uuid} NOT NULL REFERENCES organization (id),
    created_by {uuid} NOT NULL REFERENCES "user" (id),
    lineage_id {uuid} NOT NULL REFERENCES lineage (id),
    level {bigint} CHECK (level BETWEEN 1 AND 4),
    special {bool} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'released', 'retired')),
    metadata {json} NOT NULL,
    declared {json},
    current_version_id {uuid},
    revision {bigint} NOT NULL,
    created_at {bigint} NOT NULL,
    updated_at {bigint} NOT NULL
    {pointer_to_own_version}
) {strict};
CREATE INDEX dataset_organization_id_id ON dataset (organization_id, id);
CREATE INDEX dataset_state_id ON dataset (state, id);
CREATE INDEX dataset_lineage_id ON dataset (lineage_id);

CREATE TABLE dataset_alias (
    slug TEXT NOT NULL CONSTRAINT dataset_alias_slug_key PRIMARY KEY,
    dataset_id {uuid} NOT NULL REFERENCES dataset (id),
    created_at {bigint} NOT NULL
) {strict};

CREATE TABLE version (
    id {uuid} NOT NULL PRIMARY KEY,
    dataset_id {uuid} NOT NULL REFERENCES dataset (id),
    number {bigint} NOT NULL CHECK (number > 0),
    state TEXT NOT NULL CHECK (state IN ('ingesting', 'failed', 'ready', 'released', 'retired')),
    created_by {uuid} NOT NULL REFERENCES "user" (id),
    source_name TEXT NOT NULL,
    options {json} NOT NULL,
    declared {json},
    manifest {json},
    profile {json},
    failure {json},
    checksum TEXT,
    created_at {bigint} NOT NULL,
    ready_at {bigint},
    published_at {bigint},
    CONSTRAINT version_dataset_id_number_key UNIQUE (dataset_id, number),
    CONSTRAINT version_dataset_id_id_key UNIQUE (dataset_id, id)
) {strict};
CREATE INDEX version_state_id ON version (state, id);
{pointer_key}

-- Review ---------------------------------------------------------------------------------------------------

CREATE TABLE policy (
    id {uuid} NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    effective_from {bigint} NOT NULL,
    body {json} NOT NULL,
    created_by {uuid} REFERENCES "user" (id),
    created_at {bigint} NOT NULL,
    CONSTRAINT policy_kind_effective_from_key UNIQUE (kind, effective_from)
) {strict};

CREATE TABLE request (
    id {uuid} NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('release', 'access')),
    state TEXT NOT NULL CHECK (state IN
        ('awaiting_opinion', 'awaiting_decision', 'approved', 'returned', 'rejected', 'withdrawn')),
    organization_id {uuid} NOT NULL REFERENCES organization (id),
    submitted_by {uuid} NOT NULL REFERENCES "user" (id),
    level {bigint} NOT NULL CHECK (level BETWEEN 1 AND 4),
    special {bool} NOT NULL,
    deadline {bigint} NOT NULL,
    payload {json} NOT NULL,
    policy_id {uuid} REFERENCES policy (id),
    revision {bigint} NOT NULL,
    created_at {bigint} NOT NULL,
    decided_at {bigint}
) {strict};
CREATE INDEX request_state_id ON request (state, id);
CREATE INDEX request_organization_id_id ON request (organization_id, id);

CREATE TABLE request_dataset (
    request_id {uuid} NOT NULL REFERENCES request (id),
    dataset_id {uuid} NOT NULL REFERENCES dataset (id),
    version_id {uuid} REFERENCES version (id),
    CONSTRAINT request_dataset_request_id_dataset_id_key PRIMARY KEY (request_id, dataset_id)
) {strict};
CREATE INDEX request_dataset_dataset_id ON request_dataset (dataset_id, request_id);

CREATE TABLE opinion (
    id {uuid} NOT NULL PRIMARY KEY,
    request_id {uuid} NOT NULL REFERENCES request (id),
    organization_id {uuid} NOT NULL REFERENCES organization (id),
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    opinion TEXT NOT NULL CHECK (opinion IN ('safe', 'unsafe')),
    reason TEXT NOT NULL,
    created_at {bigint} NOT NULL,
    CONSTRAINT opinion_request_id_organization_id_key UNIQUE (request_id, organization_id)
) {strict};
CREATE INDEX opinion_organization_id_request_id ON opinion (organization_id, request_id);

CREATE TABLE decision (
    id {uuid} NOT NULL PRIMARY KEY,
    request_id {uuid} NOT NULL REFERENCES request (id),
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    decision TEXT NOT NULL CHECK (decision IN ('approve', 'return', 'reject')),
    reason TEXT NOT NULL,
    budget {json},
    policy_id {uuid} REFERENCES policy (id),
    created_at {bigint} NOT NULL,
    CONSTRAINT decision_request_id_user_id_key UNIQUE (request_id, user_id)
) {strict};

-- Sandbox --------------------------------------------------------------------------------------------------

CREATE TABLE project (
    id {uuid} NOT NULL PRIMARY KEY,
    request_id {uuid} NOT NULL CONSTRAINT project_request_id_key UNIQUE REFERENCES request (id),
    organization_id {uuid} NOT NULL REFERENCES organization (id),
    state TEXT NOT NULL CHECK (state IN ('active', 'closed')),
    purpose TEXT NOT NULL,
    created_at {bigint} NOT NULL,
    expires_at {bigint} NOT NULL,
    closed_at {bigint},
    revision {bigint} NOT NULL
) {strict};
CREATE INDEX project_organization_id_id ON project (organization_id, id);

-- What a project may spend on a lineage; decremented by a conditional update, never by read and write.
CREATE TABLE allocation (
    id {uuid} NOT NULL PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    lineage_id {uuid} NOT NULL REFERENCES lineage (id),
    rho_cap_nano {bigint} NOT NULL CHECK (rho_cap_nano >= 0),
    rho_remaining_nano {bigint} NOT NULL CHECK (rho_remaining_nano >= 0),
    delta_cap_atto {bigint} NOT NULL CHECK (delta_cap_atto >= 0),
    delta_remaining_atto {bigint} NOT NULL CHECK (delta_remaining_atto >= 0),
    window_days {bigint} NOT NULL CHECK (window_days > 0),
    window_start {bigint} NOT NULL,
    created_at {bigint} NOT NULL,
    closed_at {bigint},
    CHECK (rho_remaining_nano <= rho_cap_nano),
    CHECK (delta_remaining_atto <= delta_cap_atto),
    CONSTRAINT allocation_project_id_lineage_id_key UNIQUE (project_id, lineage_id)
) {strict};
CREATE INDEX allocation_lineage_id ON allocation (lineage_id);

CREATE TABLE project_dataset (
    project_id {uuid} NOT NULL REFERENCES project (id),
    dataset_id {uuid} NOT NULL REFERENCES dataset (id),
    allocation_id {uuid} REFERENCES allocation (id),
    CONSTRAINT project_dataset_project_id_dataset_id_key PRIMARY KEY (project_id, dataset_id)
) {strict};
CREATE INDEX project_dataset_dataset_id ON project_dataset (dataset_id, project_id);

CREATE TABLE job (
    id {uuid} NOT NULL PRIMARY KEY,
    project_id {uuid} NOT NULL REFERENCES project (id),
    submitted_by {uuid} NOT NULL REFERENCES "user" (id),
    kind TEXT NOT NULL CHECK (kind IN ('sql', 'wasm')),
    plan_hash {bytes} NOT NULL CHECK (length(plan_hash) = 32),
    state TEXT NOT NULL CHECK (state IN
        ('queued', 'running', 'delayed', 'awaiting_review', 'withheld', 'released')),
    sql TEXT,
    plan {json} NOT NULL,
    cost {json} NOT NULL,
    policy_id {uuid} REFERENCES policy (id),
    reuse_of {uuid} REFERENCES job (id),
    created_at {bigint} NOT NULL,
    due_at {bigint} NOT NULL,
    started_at {bigint},
    finished_at {bigint},
    result {json},
    receipt {json},
    revision {bigint} NOT NULL
) {strict};
CREATE INDEX job_project_id_id ON job (project_id, id);
CREATE INDEX job_state_due_at ON job (state, due_at);
-- The same canonical plan is charged once within a project, whatever races.
CREATE UNIQUE INDEX job_project_id_plan_hash_key ON job (project_id, plan_hash) WHERE reuse_of IS NULL;

-- Append-only: nothing updates or deletes a row (tested).
CREATE TABLE charge (
    id {uuid} NOT NULL PRIMARY KEY,
    job_id {uuid} NOT NULL REFERENCES job (id),
    project_id {uuid} NOT NULL REFERENCES project (id),
    allocation_id {uuid} NOT NULL REFERENCES allocation (id),
    lineage_id {uuid} NOT NULL REFERENCES lineage (id),
    rho_nano {bigint} NOT NULL CHECK (rho_nano >= 0),
    delta_atto {bigint} NOT NULL CHECK (delta_atto >= 0),
    lineage_charged {bool} NOT NULL,
    created_at {bigint} NOT NULL,
    CONSTRAINT charge_job_id_allocation_id_key UNIQUE (job_id, allocation_id)
) {strict};
CREATE INDEX charge_allocation_id_created_at ON charge (allocation_id, created_at);
CREATE INDEX charge_lineage_id_created_at ON charge (lineage_id, created_at);

-- Work in the background -----------------------------------------------------------------------------------

CREATE TABLE task (
    id {uuid} NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    payload {json} NOT NULL,
    organization_id {uuid} REFERENCES organization (id),
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    attempt {bigint} NOT NULL CHECK (attempt >= 0),
    max_attempts {bigint} NOT NULL CHECK (max_attempts > 0),
    lease_owner {uuid},
    lease_until {bigint},
    heartbeat_at {bigint},
    progress {json},
    result {json},
    error {json},
    created_at {bigint} NOT NULL,
    run_at {bigint} NOT NULL,
    finished_at {bigint},
    CHECK ((state = 'running') = (lease_owner IS NOT NULL)),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK (attempt <= max_attempts)
) {strict};
CREATE INDEX task_state_run_at ON task (state, run_at);
CREATE INDEX task_state_lease_until ON task (state, lease_until);

CREATE TABLE idempotency_key (
    actor {uuid} NOT NULL,
    key TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    body_hash {bytes} NOT NULL CHECK (length(body_hash) = 32),
    status {bigint},
    response {bytes},
    created_at {bigint} NOT NULL,
    CONSTRAINT idempotency_key_actor_key_key PRIMARY KEY (actor, key),
    CHECK ((status IS NULL) = (response IS NULL))
) {strict};
CREATE INDEX idempotency_key_created_at ON idempotency_key (created_at);

CREATE TABLE outbox (
    id {serial},
    topic TEXT NOT NULL,
    subject {uuid} NOT NULL,
    payload {json} NOT NULL,
    created_at {bigint} NOT NULL
) {strict};
CREATE INDEX outbox_topic_id ON outbox (topic, id);

-- Stored objects that nothing points at any more and that are still to be deleted.
CREATE TABLE storage_cleanup (
    id {serial},
    zone TEXT NOT NULL,
    path TEXT NOT NULL,
    not_before {bigint} NOT NULL,
    created_at {bigint} NOT NULL,
    CONSTRAINT storage_cleanup_zone_path_key UNIQUE (zone, path)
) {strict};
CREATE INDEX storage_cleanup_not_before ON storage_cleanup (not_before);

-- Ledger ---------------------------------------------------------------------------------------------------

-- A leaf waits without an index until the sequencer has taken it.
CREATE TABLE ledger_leaf (
    id {serial},
    leaf_index {bigint} CONSTRAINT ledger_leaf_leaf_index_key UNIQUE CHECK (leaf_index >= 0),
    entry {bytes} NOT NULL CHECK (length(entry) BETWEEN 1 AND 65535),
    leaf_hash {bytes} NOT NULL CHECK (length(leaf_hash) = 32),
    created_at {bigint} NOT NULL
) {strict};
CREATE INDEX ledger_leaf_waiting ON ledger_leaf (id) WHERE leaf_index IS NULL;
CREATE INDEX ledger_leaf_leaf_hash ON ledger_leaf (leaf_hash);

-- Complete, hence permanent, subtree roots.
CREATE TABLE ledger_node (
    level {bigint} NOT NULL CHECK (level BETWEEN 0 AND 63),
    node_index {bigint} NOT NULL CHECK (node_index >= 0),
    hash {bytes} NOT NULL CHECK (length(hash) = 32),
    CONSTRAINT ledger_node_level_node_index_key PRIMARY KEY (level, node_index)
) {strict};

-- One row: the frontier of the sequenced tree. Locking it makes a process the sequencer.
CREATE TABLE ledger_state (
    id {bigint} NOT NULL PRIMARY KEY CHECK (id = 1),
    size {bigint} NOT NULL CHECK (size >= 0),
    frontier {json} NOT NULL
) {strict};
INSERT INTO ledger_state (id, size, frontier) VALUES (1, 0, '{"size":0,"subtrees":[]}');

CREATE TABLE ledger_checkpoint (
    size {bigint} NOT NULL CONSTRAINT ledger_checkpoint_size_key PRIMARY KEY CHECK (size >= 0),
    root {bytes} NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL,
    created_at {bigint} NOT NULL
) {strict};

-- Counts and settings --------------------------------------------------------------------------------------

CREATE TABLE usage_count (
    day TEXT NOT NULL CHECK (length(day) = 10),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    count {bigint} NOT NULL CHECK (count > 0),
    CONSTRAINT usage_count_day_kind_subject_key PRIMARY KEY (day, kind, subject)
) {strict};
CREATE INDEX usage_count_subject_day ON usage_count (subject, day);

CREATE TABLE setting (
    key TEXT NOT NULL CONSTRAINT setting_key_key PRIMARY KEY,
    value {json} NOT NULL,
    updated_at {bigint} NOT NULL
) {strict};
