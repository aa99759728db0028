//! The patterns of Task Bench that are run.

/// How many tasks stand side by side.
pub(super) const WIDTH: usize = 32;

/// What a task depends on among the tasks of the step before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Its own place and those next to it.
    Stencil,
    /// Its own place and those at a distance to either side that doubles with each step, and begins anew when it
    /// reaches the width.
    Fft,
    /// Nothing.
    NoDependency,
}

impl Pattern {
    pub(super) const ALL: [Self; 3] = [Self::Stencil, Self::Fft, Self::NoDependency];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stencil => "stencil",
            Self::Fft => "fft",
            Self::NoDependency => "no_dependency",
        }
    }

    /// The places of the step before on which a task depends.
    pub(super) fn dependencies(self, step: usize, place: usize) -> Vec<usize> {
        if step == 0 {
            return Vec::new();
        }
        let distance = match self {
            Self::Stencil => 1,
            Self::Fft => 1 << ((step - 1) % WIDTH.ilog2() as usize),
            Self::NoDependency => return Vec::new(),
        };
        let places = [place.checked_sub(distance), Some(place), place.checked_add(distance)];
        places.into_iter().flatten().filter(|place| *place < WIDTH).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stencil_reaches_to_its_neighbours() {
        assert!(Pattern::Stencil.dependencies(0, 5).is_empty());
        assert_eq!(Pattern::Stencil.dependencies(1, 0), [0, 1]);
        assert_eq!(Pattern::Stencil.dependencies(9, 5), [4, 5, 6]);
        assert_eq!(Pattern::Stencil.dependencies(9, 31), [30, 31]);
    }

    #[test]
    fn an_fft_reaches_twice_as_far_with_each_step() {
        let reach = [1, 2, 3, 5, 6].map(|step| Pattern::Fft.dependencies(step, 16));
        let expected: [&[usize]; 5] =
            [&[15, 16, 17], &[14, 16, 18], &[12, 16, 20], &[0, 16], &[15, 16, 17]];
        assert_eq!(reach, expected);
    }
}
