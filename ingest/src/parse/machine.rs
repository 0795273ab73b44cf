//! The path-aware state machine: elements come in one by one, and what they mean follows from where they stand.
//!
//! No tree is built and nothing calls itself: a stack of small frames holds the way from the root to the open element.
//! What the elements say is handed to the [`Collector`].

mod meaning;

use super::ParseError;
use super::collect::Collector;
use super::context::Context;
use super::limits::Limits;
use super::value::Attributes;

/// One open element.
struct Frame {
    context: Context,
    /// Where its name begins in [`Machine::names`].
    name_at: u32,
}

/// Reads elements and fills a [`Collector`].
pub(super) struct Machine<'a> {
    limits: &'a Limits,
    frames: Vec<Frame>,
    /// Names of the open elements, one after the other.
    names: String,
    elements: u64,
    /// Whether a root element was seen and closed.
    root_closed: bool,
    /// Tracks and scenes of a Live set.
    tracks: u32,
    scenes: u32,
    /// What the reading found.
    pub(super) collector: Collector<'a>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            frames: Vec::with_capacity(64),
            names: String::with_capacity(1024),
            elements: 0,
            root_closed: false,
            tracks: 0,
            scenes: 0,
            collector: Collector::new(limits),
        }
    }

    /// Number of open elements.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Whether the root element was seen and closed.
    pub(super) fn is_complete(&self) -> bool {
        self.root_closed
    }

    /// Whether no element was seen at all.
    pub(super) fn is_untouched(&self) -> bool {
        self.elements == 0
    }

    /// Whether the document is a Live set or clip.
    pub(super) fn is_live_set(&self) -> bool {
        self.frames.get(1).is_some_and(|frame| frame.context == Context::LiveSet)
    }

    /// An element opens.
    pub(super) fn open(&mut self, name: &str, attributes: Attributes<'_>, at: u64) -> Result<(), ParseError> {
        let context = self.enter(name, attributes, at)?;
        if self.frames.len() >= self.limits.max_depth {
            return Err(ParseError::TooDeep {
                limit: self.limits.max_depth,
            });
        }
        let name_at = u32::try_from(self.names.len()).map_err(|_| ParseError::TooDeep {
            limit: self.limits.max_depth,
        })?;
        self.names.push_str(name);
        self.frames.push(Frame { context, name_at });
        Ok(())
    }

    /// An element without content: opens and closes.
    pub(super) fn empty(&mut self, name: &str, attributes: Attributes<'_>, at: u64) -> Result<(), ParseError> {
        let context = self.enter(name, attributes, at)?;
        if !matches!(context, Context::Skip | Context::Inside) {
            self.leave(context)?;
        }
        if self.frames.is_empty() {
            self.root_closed = true;
        }
        Ok(())
    }

    /// Name of the innermost open element.
    #[inline]
    pub(super) fn open_name(&self) -> Option<&str> {
        let frame = self.frames.last()?;
        self.names.get(frame.name_at as usize..)
    }

    /// An element closes.
    pub(super) fn close(&mut self, name: &str, at: u64) -> Result<(), ParseError> {
        if self.open_name().is_some_and(|open| open != name) {
            return Err(ParseError::Malformed {
                at,
                what: "a closing tag that does not match the open one",
            });
        }
        self.close_open(at)
    }

    /// The innermost open element closes.
    pub(super) fn close_open(&mut self, at: u64) -> Result<(), ParseError> {
        let Some(frame) = self.frames.last() else {
            return Err(ParseError::Malformed {
                at,
                what: "a closing tag that nothing opened",
            });
        };
        let (context, name_at) = (frame.context, frame.name_at as usize);
        if !matches!(context, Context::Skip) {
            self.collector.close_parameter(self.frames.len());
            self.leave(context)?;
        }
        self.frames.pop();
        self.names.truncate(name_at);
        if self.frames.is_empty() {
            self.root_closed = true;
        }
        Ok(())
    }

    /// The names of the open elements below `depth`, joined by slashes.
    fn path_below(&self, depth: usize) -> String {
        let mut path = String::new();
        for (place, frame) in self.frames.iter().enumerate().skip(depth) {
            let end = self
                .frames
                .get(place + 1)
                .map_or(self.names.len(), |next| next.name_at as usize);
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(self.names.get(frame.name_at as usize..end).unwrap_or_default());
        }
        path
    }

    /// What the end of an element settles.
    fn leave(&mut self, context: Context) -> Result<(), ParseError> {
        let out = &mut self.collector;
        match context {
            Context::RackPreset => out.close_rack()?,
            Context::Rack | Context::Mixer => out.pop_scope(),
            Context::SetRack => {
                out.pop_scope();
                out.close_rack()?;
            }
            Context::Snapshot => out.close_variation(),
            Context::Chain | Context::SetChain => out.close_chain(),
            Context::Device | Context::Plugin => {
                out.pop_scope();
                out.close_device()?;
            }
            Context::MaxParameter => out.close_max_parameter()?,
            Context::KeyMidi => {
                if let Some(index) = self.collector.key_midi_macro() {
                    // The open elements end with KeyMidi's parent, the parameter, and KeyMidi itself (unless it was empty).
                    let parameter_depth = self.frames.len().saturating_sub(1);
                    let owner_depth = self.collector.scope_depth();
                    let parent = parameter_depth
                        .checked_sub(1)
                        .and_then(|place| self.frames.get(place))
                        .map(|frame| frame.context);
                    let mut path = self.path_below(owner_depth);
                    path.truncate(path.len().saturating_sub("/KeyMidi".len()));
                    self.collector.add_mapping(index, parent, path, parameter_depth)?;
                }
            }
            Context::SampleRef => out.close_sample()?,
            Context::FileRef(purpose) => out.close_file_ref(purpose)?,
            Context::PluginParameter => out.close_plugin_parameter()?,
            Context::SetScenes | Context::LiveSet => {
                // A clip is saved as a set with its one track and one scene; new sets have eight scenes.
                return Err(if self.tracks == 1 && self.scenes == 1 {
                    ParseError::LiveClip
                } else {
                    ParseError::LiveSet
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// A name from the file, short enough for a message.
pub(super) fn short(name: &str) -> String {
    name.chars().take(60).collect()
}
