//! End-to-end tests of the whole program.

mod app;
mod architecture;
mod collections;
mod command_line;
mod comments;
mod concurrency;
mod events;
mod feed;
mod finding;
mod folders;
mod kill;
mod outages;
mod parse_command;
mod problems;
mod program;
mod reactions;
mod rights;
mod rollup_command;
mod search_log;
mod search_text;
mod trending;
mod up;
mod uploads;
mod visibility;
mod workflows;
