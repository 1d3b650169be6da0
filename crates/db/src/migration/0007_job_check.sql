-- When a job's noised answer is there. It is released at due_at: the same moment, or for special datasets a later, fixed
-- day, until which two checkers look at it.
ALTER TABLE job ADD COLUMN answer_due_at {bigint} NOT NULL DEFAULT 0;
UPDATE job SET answer_due_at = due_at;
CREATE INDEX job_state_answer_due_at ON job (state, answer_due_at);

-- The review of an answer, by the job that paid for it. Its id tells nothing of the job.
CREATE TABLE job_check (
    id {uuid} NOT NULL PRIMARY KEY,
    job_id {uuid} NOT NULL REFERENCES job (id),
    created_at {bigint} NOT NULL,
    CONSTRAINT job_check_job_id_key UNIQUE (job_id)
) {strict};

-- Append-only. Two seats: the bureau has one, and one is for an assessor or another reviewer.
CREATE TABLE job_vote (
    id {uuid} NOT NULL PRIMARY KEY,
    check_id {uuid} NOT NULL REFERENCES job_check (id),
    seat TEXT NOT NULL CHECK (seat IN ('bureau', 'second')),
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    organization_id {uuid} NOT NULL REFERENCES organization (id),
    verdict TEXT NOT NULL CHECK (verdict IN ('release', 'withhold')),
    reason TEXT NOT NULL,
    -- What opens the commitments to review, verdict and reason in the ledger, hexadecimal.
    check_nonce TEXT NOT NULL CHECK (length(check_nonce) = 64),
    verdict_nonce TEXT NOT NULL CHECK (length(verdict_nonce) = 64),
    reason_nonce TEXT NOT NULL CHECK (length(reason_nonce) = 64),
    created_at {bigint} NOT NULL,
    CONSTRAINT job_vote_check_id_seat_key UNIQUE (check_id, seat),
    CONSTRAINT job_vote_check_id_user_id_key UNIQUE (check_id, user_id)
) {strict};
