//! What mixes with a rack: keys that go with a key, and tempos near a tempo.

use store::musical_key::MusicalKey;

use crate::number::Range;

/// Which keys go with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Harmony {
    /// Itself.
    #[default]
    Exact,
    /// Itself, its relative, and its neighbours on the wheel: four keys, which mix.
    Compatible,
    /// Those, and the two neighbours of the relative.
    Diagonal,
}

impl Harmony {
    /// All of them.
    pub const ALL: [Harmony; 3] = [Harmony::Exact, Harmony::Compatible, Harmony::Diagonal];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Harmony::Exact => "exact",
            Harmony::Compatible => "compatible",
            Harmony::Diagonal => "diagonal",
        }
    }

    /// The one of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|harmony| harmony.name() == name)
    }

    /// The keys that go with one.
    pub fn keys(self, key: MusicalKey) -> Vec<MusicalKey> {
        match self {
            Harmony::Exact => vec![key],
            Harmony::Compatible => key.compatible().to_vec(),
            Harmony::Diagonal => key.compatible().into_iter().chain(key.diagonal()).collect(),
        }
    }
}

/// Near a tempo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TempoNear {
    /// The tempo, in beats a minute.
    pub bpm: f64,
    /// How far off a hit may be, as a share of the tempo; none: any tempo passes, and this one only orders.
    pub within: Option<f64>,
    /// Whether half and double that tempo are near as well. They come after those that are near as they are.
    pub half_and_double: bool,
}

impl TempoNear {
    /// What most faders bridge: three quarters of their usual 8 %.
    pub const USUAL: f64 = 0.06;

    /// Most that may be asked for: from a third on, half and double time overlap with the tempo itself.
    pub const MOST: f64 = 0.2;

    /// Within the usual reach of a tempo.
    pub fn of(bpm: f64) -> Self {
        Self {
            bpm,
            within: Some(Self::USUAL),
            half_and_double: false,
        }
    }

    /// Ranges that pass; none if every tempo does.
    pub(crate) fn ranges(&self) -> Option<Vec<Range>> {
        let within = self.within?;
        let around = |bpm: f64| Range::between(bpm * (1.0 - within), bpm * (1.0 + within));
        let mut ranges = vec![around(self.bpm)];
        if self.half_and_double {
            ranges.extend([around(self.bpm / 2.0), around(self.bpm * 2.0)]);
        }
        Some(ranges)
    }

    /// Whether a tempo is near as it is, neither halved nor doubled.
    pub(crate) fn is_direct(&self, bpm: f64) -> bool {
        !self.half_and_double || (bpm / self.bpm).log2().abs() <= 0.5
    }

    /// Distance of a tempo in octaves: |log2 of the ratio|, where half and double count as the tempo itself if they are near.
    ///
    /// To a billionth of an octave: distances that are equal but for the last bit of their logarithms are equal, so that the id decides.
    pub(crate) fn distance(&self, bpm: f64) -> f64 {
        let octaves = (bpm / self.bpm).log2();
        let distance = if self.half_and_double {
            octaves.abs().min((octaves - 1.0).abs()).min((octaves + 1.0).abs())
        } else {
            octaves.abs()
        };
        (distance * 1e9).round() / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_double_time_are_near_on_request_only() {
        let direct = TempoNear::of(140.0);
        let both = TempoNear {
            half_and_double: true,
            ..direct
        };
        let passes = |near: &TempoNear, bpm: f64| near.ranges().expect("ranges").iter().any(|range| range.contains(bpm));
        assert!(passes(&direct, 148.0) && !passes(&direct, 149.0) && !passes(&direct, 70.0));
        assert!(passes(&both, 70.0) && passes(&both, 280.0) && !passes(&both, 100.0));
        assert!(both.is_direct(140.0) && !both.is_direct(70.0) && !both.is_direct(280.0));
        assert!(both.distance(70.0) < 1e-12 && direct.distance(70.0) > 0.99);
        let widest = TempoNear {
            within: Some(TempoNear::MOST),
            ..both
        };
        let ranges = widest.ranges().expect("ranges");
        assert!((40..400).all(|bpm| ranges.iter().filter(|range| range.contains(f64::from(bpm))).count() <= 1));
    }
}
