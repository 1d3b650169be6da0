-- Projects are closed when their period ends: found by state and end.
CREATE INDEX project_state_expires_at ON project (state, expires_at);
