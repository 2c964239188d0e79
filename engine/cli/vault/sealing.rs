//! Encryption with one of the vault's passwords.

use std::sync::Arc;

use rplay::{
    config::Config,
    vault::{Vault, encrypt, encrypt_salted},
};

use super::error::{Ended, VaultCommandError};

/// The password and settings to encrypt with.
pub(super) struct Sealing {
    vault: Arc<Vault>,
    id: Option<String>,
    salt: Option<String>,
}

impl Sealing {
    pub(super) fn new(vault: Arc<Vault>, id: Option<String>, config: &Config) -> Result<Self, Ended> {
        let known: Vec<&str> = vault.ids().collect();
        if let Some(id) = id.as_ref().filter(|id| !known.contains(&id.as_str())) {
            let known = known.iter().map(|id| format!("'{id}'")).collect();
            return Err(VaultCommandError::UnknownId { id: id.clone(), known }.into());
        }
        if id.is_none() && known.len() > 1 {
            let message = format!(
                "The vault-ids {} are available to encrypt. Specify the vault-id to encrypt with --encrypt-vault-id",
                known.join(",")
            );
            return Err(VaultCommandError::Options(message).into());
        }
        if known.is_empty() {
            return Err(
                VaultCommandError::Options("A vault password is required to use Ansible's Vault".to_owned()).into()
            );
        }
        Ok(Sealing { vault, id, salt: config.vault_encrypt_salt.value.clone() })
    }

    pub(super) fn seal(&self, content: &[u8]) -> Result<Vec<u8>, VaultCommandError> {
        let (id, password) = self.vault.password(self.id.as_deref()).unwrap_or_default();
        seal(content, password, Some(id), self.salt.as_deref())
    }
}

pub(super) fn seal(
    content: &[u8],
    password: &[u8],
    id: Option<&str>,
    salt: Option<&str>,
) -> Result<Vec<u8>, VaultCommandError> {
    let sealed = match salt {
        Some(salt) => encrypt_salted(content, password, id, salt.as_bytes()),
        None => encrypt(content, password, id),
    };
    sealed.map(String::into_bytes).map_err(|message| VaultCommandError::Cipher { message })
}
