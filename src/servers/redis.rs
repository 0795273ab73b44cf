//! A private Redis: hints and caches only, so nothing of it is kept on disk.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::LOOPBACK;
use super::folder::write_private;
use super::guard::{self, OnParentDeath};

/// A private Redis server.
#[derive(Debug)]
pub(super) struct Redis {
    /// What to run.
    pub(super) program: PathBuf,
    /// The servers' folder.
    pub(super) servers_dir: PathBuf,
}

impl Redis {
    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.servers_dir.join("redis.log")
    }

    /// The command that runs the server on a port. The password goes through a file: a command line is for all to see.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(super) fn command(&self, port: u16, password: &str) -> Result<Command> {
        let file = self.servers_dir.join("redis.conf");
        let folder = self.servers_dir.display();
        write_private(
            &file,
            &format!(
                "bind {LOOPBACK}\nport {port}\nrequirepass {password}\ndir \"{folder}\"\nlogfile \"{}\"\n\
                 save \"\"\nappendonly no\nmaxmemory 512mb\nmaxmemory-policy allkeys-lru\n",
                self.log().display()
            ),
        )?;
        let mut command = guard::command(self.program.as_os_str(), OnParentDeath::Kill);
        command.arg(file);
        Ok(command)
    }
}

/// Whether the server with this password answers on the port. A stranger's would refuse the password.
pub(super) fn is_ready(port: u16, password: &str) -> bool {
    let answer = || {
        let mut stream = TcpStream::connect((LOOPBACK, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(format!("AUTH {password}\r\nPING\r\nQUIT\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<String, std::io::Error>(text)
    };
    answer().is_ok_and(|text| text.starts_with("+OK\r\n+PONG\r\n"))
}
