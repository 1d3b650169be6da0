-- What makes two questions ask for the same answer, whatever they cost: a better one is topped up from a paid one, a worse
-- one is free. Jobs from before are found by plan_hash alone.
ALTER TABLE job ADD COLUMN answer_hash {bytes} CHECK (length(answer_hash) = 32);
-- The rho that the stored answer is worth, with what it topped up, in 10^-9.
ALTER TABLE job ADD COLUMN answer_rho_nano {bigint} CHECK (answer_rho_nano > 0);
ALTER TABLE job ADD COLUMN tops_up {uuid} REFERENCES job (id);
CREATE INDEX job_project_id_answer_hash ON job (project_id, answer_hash, answer_rho_nano);
