//! End-to-end tests of the whole program.

mod app;
mod architecture;
mod command_line;
mod kill;
mod program;
mod up;
mod uploads;
