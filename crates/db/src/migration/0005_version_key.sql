-- The data keys of versions, wrapped by the operator's key; what they seal is erased by forgetting them. A row whose
-- key is destroyed stays, so that nothing is ever sealed again for what was erased.
CREATE TABLE version_key (
    version_id {uuid} NOT NULL REFERENCES version (id),
    purpose TEXT NOT NULL CHECK (purpose IN ('original', 'copy')),
    wrapped {bytes} CHECK (length(wrapped) BETWEEN 40 AND 256),
    created_at {bigint} NOT NULL,
    destroyed_at {bigint},
    CONSTRAINT version_key_pkey PRIMARY KEY (version_id, purpose),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) {strict};
