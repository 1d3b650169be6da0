-- What a charge is about, where it is about some units only: those with one of these values of a field that holds one value
-- for each unit of this version. Charges about disjoint units of one version count once in the largest of them, so that
-- rho_nano is what the charge added to that, and subset_rho_nano what it costs any one of its units.
ALTER TABLE charge ADD COLUMN subset_version_id {uuid};
ALTER TABLE charge ADD COLUMN subset_field TEXT;
-- A JSON array of texts.
ALTER TABLE charge ADD COLUMN subset_values TEXT;
ALTER TABLE charge ADD COLUMN subset_rho_nano {bigint} CHECK (subset_rho_nano >= rho_nano);
