//! Secrets by reference.

use std::path::PathBuf;

use serde::Deserialize;

/// Where a secret is: `{ file = "/run/secrets/x" }` or `{ env = "NAME" }`. A secret in the file itself is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Secret {
    /// In a file, without the line break at its end.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// The secret is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret file {path} cannot be read: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: std::io::ErrorKind,
    },
    /// The variable is not set.
    #[error("the environment variable {0} that should hold a secret is not set")]
    Env(String),
}

impl Secret {
    /// Reads it.
    ///
    /// # Errors
    /// If the file or variable is not there.
    pub fn load(&self) -> Result<String, SecretError> {
        match self {
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| SecretError::File {
                    path: path.clone(),
                    reason: error.kind(),
                }),
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn secrets_are_read_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(Secret::File(path).load().unwrap(), "s3cret");
        assert!(Secret::File(folder.path().join("none")).load().is_err());
        assert!(Secret::Env("SHAPAN_TEST_NO_SUCH_VARIABLE".into()).load().is_err());
    }
}
