//! Answers that calls give instead of the truth: a code or a value, a number of times or for ever.

use super::call::Call;

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Answer {
    /// 0 is success.
    pub code: u32,
    /// Not 0: success comes with `value`. 0: success comes with the truth.
    pub has_value: u32,
    /// How many calls still get the truth first.
    pub after: u32,
    /// How many calls still get this answer, or [`Self::FOR_EVER`].
    pub left: u32,
    /// The raw number in the call's own unit: °C as the bits of an `unsigned int`, mW, MHz,
    /// percent, mJ. For a call with two numbers, the first is in the low half; see [`Self::pair`].
    /// For a list, its only element, or 0 for an empty list. For a setter, the value that the card
    /// really takes. For a handle, the card's position. A text has no number: the answer is the
    /// truth.
    pub value: i64,
}

impl Answer {
    pub const FOR_EVER: u32 = u32::MAX;

    /// This code, always.
    pub const fn code(code: u32) -> Self {
        Self {
            code,
            has_value: 0,
            after: 0,
            left: Self::FOR_EVER,
            value: 0,
        }
    }

    /// Success with this value, always.
    pub const fn value(value: i64) -> Self {
        Self {
            has_value: 1,
            value,
            ..Self::code(0)
        }
    }

    /// Success with two values: a range's ends, utilisation of GPU and memory.
    pub fn pair(first: u32, second: u32) -> Self {
        Self::value((i64::from(second) << 32) | i64::from(first))
    }

    pub const fn times(self, left: u32) -> Self {
        Self { left, ..self }
    }

    pub const fn once(self) -> Self {
        self.times(1)
    }

    /// Only after this many calls.
    pub const fn after(self, after: u32) -> Self {
        Self { after, ..self }
    }

    const fn said(&self) -> Said {
        match (self.code, self.has_value) {
            (0, 0) => Said::Truth,
            (0, _) => Said::Value(self.value),
            (code, _) => Said::Code(code),
        }
    }
}

/// The answer of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Truth,
    Code(u32),
    Value(i64),
}

/// An answer, and how many times it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Entry {
    /// [`Call::number`]; 0 is a free place.
    pub call: u32,
    pub used: u32,
    pub answer: Answer,
}

impl Entry {
    const FREE: Self = Self {
        call: 0,
        used: 0,
        answer: Answer::code(0),
    };
}

/// The answers set for a card or a machine: free places first, then the answers, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Answers<const N: usize> {
    entries: [Entry; N],
}

impl<const N: usize> Answers<N> {
    pub const NONE: Self = Self {
        entries: [Entry::FREE; N],
    };

    /// From now on `call` gives this answer, and no earlier one. False: there is no room.
    pub fn set(&mut self, call: Call, answer: Answer) -> bool {
        self.clear(call);
        self.then(call, answer)
    }

    /// `call` gives this answer when its earlier ones are used up. False: there is no room.
    pub fn then(&mut self, call: Call, answer: Answer) -> bool {
        let free = self.entries.iter().position(|entry| entry.call == 0);
        // Used answers are kept for the counts, as long as there is room.
        let place = free.or_else(|| self.entries.iter().position(|entry| entry.answer.left == 0));
        let Some(place) = place else { return false };
        self.entries[place] = Entry {
            call: call.number(),
            used: 0,
            answer,
        };
        // At the end: answers lie in the order in which they were set.
        self.entries[place..].rotate_left(1);
        true
    }

    pub fn clear(&mut self, call: Call) {
        let number = call.number();
        let mut kept = N;
        for place in (0..N).rev() {
            let entry = self.entries[place];
            if entry.call != 0 && entry.call != number {
                kept -= 1;
                self.entries[kept] = entry;
            }
        }
        self.entries[..kept].fill(Entry::FREE);
    }

    pub fn clear_all(&mut self) {
        *self = Self::NONE;
    }

    /// The answer of `call`. Uses one up.
    pub fn ask(&mut self, call: Call) -> Said {
        // Set answers lie at the end. Usually there are none, and every call asks.
        if self.entries.last().is_none_or(|entry| entry.call == 0) {
            return Said::Truth;
        }
        let number = call.number();
        let own = |entry: &&mut Entry| entry.call == number && entry.answer.left > 0;
        let Some(entry) = self.entries.iter_mut().find(own) else {
            return Said::Truth;
        };
        if entry.answer.after > 0 {
            entry.answer.after -= 1;
            return Said::Truth;
        }
        if entry.answer.left != Answer::FOR_EVER {
            entry.answer.left -= 1;
        }
        entry.used = entry.used.saturating_add(1);
        entry.answer.said()
    }

    /// `call` has an answer left to give.
    pub fn is_told(&self, call: Call) -> bool {
        let number = call.number();
        self.iter()
            .any(|entry| entry.call == number && entry.answer.left > 0)
    }

    /// How many times `call` gave a set answer.
    pub fn used(&self, call: Call) -> u32 {
        let own = self.iter().filter(|entry| entry.call == call.number());
        own.fold(0, |sum, entry| sum.saturating_add(entry.used))
    }

    /// The set answers, oldest first for each call, including used ones.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.call != 0)
    }
}

impl<const N: usize> Default for Answers<N> {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call = Call::Temperature;

    fn asked(answers: &mut Answers<4>, times: usize) -> Vec<Said> {
        (0..times).map(|_| answers.ask(CALL)).collect()
    }

    #[test]
    fn an_answer_is_given_as_often_as_told_and_counted() {
        let mut answers = Answers::<4>::NONE;
        assert!(answers.set(CALL, Answer::code(999).times(2)));
        let code = Said::Code(999);
        assert_eq!(asked(&mut answers, 3), [code, code, Said::Truth]);
        assert_eq!(answers.used(CALL), 2);
        assert!(answers.set(CALL, Answer::value(-1)));
        assert_eq!(asked(&mut answers, 3), [Said::Value(-1); 3]);
        assert_eq!(answers.ask(Call::Margin), Said::Truth);
        answers.clear(CALL);
        assert_eq!((answers.ask(CALL), answers.used(CALL)), (Said::Truth, 0));
    }

    #[test]
    fn answers_follow_each_other_in_the_order_told() {
        let mut answers = Answers::<4>::NONE;
        assert!(answers.set(Call::Margin, Answer::code(15)));
        assert!(answers.set(CALL, Answer::code(10).after(1).once()));
        assert!(answers.then(CALL, Answer::value(0).once()));
        // The first one's place is free now, before the others.
        answers.clear(Call::Margin);
        assert!(answers.then(CALL, Answer::code(16).once()));
        let expected = [
            Said::Truth,
            Said::Code(10),
            Said::Value(0),
            Said::Code(16),
            Said::Truth,
        ];
        assert_eq!(asked(&mut answers, 5), expected);
    }

    #[test]
    fn a_full_table_says_so_and_makes_room_of_what_is_used_up() {
        let mut answers = Answers::<4>::NONE;
        for index in 0..4 {
            assert!(answers.set(Call::HandleByIndex(index), Answer::code(15).once()));
        }
        assert!(!answers.set(CALL, Answer::code(999)));
        assert_eq!(answers.ask(Call::HandleByIndex(2)), Said::Code(15));
        assert!(answers.set(CALL, Answer::code(999)));
        assert_eq!(answers.ask(CALL), Said::Code(999));
        assert_eq!(answers.ask(Call::HandleByIndex(3)), Said::Code(15));
    }
}
