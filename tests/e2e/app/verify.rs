//! Checking the portal's public log with the ledger's own verifier, over HTTP.

use ledger::proof::ReadError;
use ledger::{Checkpoint, LogVerifier, Resource, SigningKey, VerifiedLog, VerifierKey};

use super::{ORIGIN, TestApp, Who};

impl TestApp {
    /// The key that the portal's log is checked with.
    pub(crate) fn ledger_key(&self) -> VerifierKey {
        let text = std::fs::read_to_string(self.data().join("secrets").join("ledger.key")).unwrap();
        SigningKey::parse(text.trim()).unwrap().verifier().clone()
    }

    /// Reads and checks the whole log; it must continue `remembered`.
    pub(crate) async fn verify_ledger(&self, remembered: Option<Checkpoint>) -> VerifiedLog {
        let verifier = LogVerifier {
            origin: ORIGIN.to_owned(),
            keys: vec![self.ledger_key()],
            remembered,
        };
        let client = self.client(Who::Anonymous);
        let handle = tokio::runtime::Handle::current();
        let verified = tokio::task::spawn_blocking(move || {
            let mut reader = |resource: Resource| {
                let answer = handle.block_on(client.get(&format!("/ledger/{resource}")));
                if answer.status == 200 {
                    Ok(answer.body)
                } else {
                    Err(ReadError(format!("{resource}: status {}", answer.status)))
                }
            };
            verifier.verify(&mut reader)
        });
        verified
            .await
            .unwrap()
            .unwrap_or_else(|error| panic!("the log does not verify: {error}"))
    }
}
