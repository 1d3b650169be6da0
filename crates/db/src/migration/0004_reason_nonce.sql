-- What opens the commitment to a reason in the ledger, hexadecimal. Reasons from before were not committed to.
ALTER TABLE opinion ADD COLUMN reason_nonce TEXT CHECK (length(reason_nonce) = 64);
ALTER TABLE decision ADD COLUMN reason_nonce TEXT CHECK (length(reason_nonce) = 64);
