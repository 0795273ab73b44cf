//! Bursts: what one person did of one kind, one thing soon after the other, is one entry of a list.

use super::Activity;

/// Most activities in one group: one that never ended would make a page of any size.
pub const MAX_GROUP: usize = 20;

/// Longest pause within a burst. A sitting in which somebody uploads a set of racks, or likes their way through a list, has shorter ones.
const PAUSE_S: i64 = 30 * 60;

/// One entry: an activity alone, or a burst of one person's of one kind with nobody else's between. The newest first, at most
/// [`MAX_GROUP`], never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What it is made of.
    pub activities: Vec<Activity>,
}

/// Groups what comes, the newest first. A page ends where a group does, so pages of any size have the same groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

impl Groups {
    /// Takes an activity into the last group, or into a new one if that makes no more than `limit`. False when there was no room.
    pub(super) fn push(&mut self, activity: Activity, limit: usize) -> bool {
        if let Some(last) = self.groups.last_mut()
            && last.continues_with(&activity)
        {
            last.activities.push(activity);
            return true;
        }
        if self.groups.len() >= limit {
            return false;
        }
        self.groups.push(Group {
            activities: vec![activity],
        });
        true
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn into_groups(self) -> Vec<Group> {
        self.groups
    }
}

impl Group {
    fn continues_with(&self, next: &Activity) -> bool {
        self.activities.len() < MAX_GROUP
            && self.activities.last().is_some_and(|last| {
                (last.actor.id, last.kind) == (next.actor.id, next.kind) && last.key.at_s - next.key.at_s <= PAUSE_S
            })
    }
}
