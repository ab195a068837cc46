//! Who reads, where the guard's web config has `basic_auth_users`.

use std::path::PathBuf;

use clap::Args;

use crate::disk::login::Login;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reader {
    /// A user in the guard's `basic_auth_users`.
    #[arg(long, value_name = "NAME", requires = "password_file", value_parser = username)]
    username: Option<String>,
    /// File with that user's password.
    #[arg(long, value_name = "PATH", requires = "username")]
    password_file: Option<PathBuf>,
}

impl Reader {
    pub(crate) fn login(&self) -> Login {
        match self.username.clone().zip(self.password_file.clone()) {
            Some((username, password_file)) => Login::Basic {
                username,
                password_file,
            },
            None => Login::None,
        }
    }
}

/// A colon would end the name in the header.
pub(crate) fn username(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(':') || text.contains(char::is_control) {
        return Err("wanted: a name without a colon".to_owned());
    }
    Ok(text.to_owned())
}
