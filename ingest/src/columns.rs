//! The columns' words for what the parser finds.

use store::workflow::{PresetForm, RackKind};

use crate::rack::{Form, Kind};

impl From<Kind> for RackKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::AudioEffect => Self::AudioEffect,
            Kind::Instrument => Self::Instrument,
            Kind::MidiEffect => Self::MidiEffect,
            Kind::Drum => Self::Drum,
        }
    }
}

impl From<Form> for PresetForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Rack => Self::Rack,
            Form::Device => Self::Device,
        }
    }
}
