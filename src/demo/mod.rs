//! The demo: a small community, the same for everyone, whose racks are real files that go the way of anyone's upload.
//!
//! `community` makes it as data, `racks` writes the files, `load` takes both in.

mod community;
mod load;
mod racks;
mod words;

pub use load::{Loaded, load};
