//! End-to-end tests of the whole program.

mod app;
mod architecture;
mod command_line;
mod program;
mod up;
mod uploads;
