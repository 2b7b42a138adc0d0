//! The instruction sets of this machine, and the one that layers run on.

use crate::Error;
use fearless_simd::Level;
use std::env;
use std::sync::OnceLock;

/// The environment variable that names the level of all layers.
const VARIABLE: &str = "DYRELU_LEVEL";

/// Every instruction set that kernels can run on, on this machine and in this build, the best one last.
///
/// Each with its name: `sse2`, `sse4.2`, `avx2`, `avx512`; `neon`; `simd128`; `fallback`. Those below the target
/// features that the program was compiled for are left out: they would run on those all the same.
#[must_use]
pub fn levels() -> Vec<(&'static str, Level)> {
    let below = up_to(Level::baseline()).len().saturating_sub(1);
    up_to(Level::new()).split_off(below)
}

/// A level and those that it includes, the least one first.
fn up_to(level: Level) -> Vec<(&'static str, Level)> {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let all = [
        ("sse2", level.as_sse2().map(Level::Sse2)),
        ("sse4.2", level.as_sse4_2().map(Level::Sse4_2)),
        ("avx2", level.as_avx2().map(Level::Avx2)),
        ("avx512", level.as_avx512().map(Level::Avx512)),
        ("fallback", level.is_fallback().then_some(level)),
    ];
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let all = [
        ("neon", cfg!(target_arch = "aarch64") && !level.is_fallback()),
        ("simd128", cfg!(target_arch = "wasm32") && !level.is_fallback()),
        ("fallback", level.is_fallback()),
    ]
    .map(|(name, is)| (name, is.then_some(level)));
    all.into_iter()
        .filter_map(|(name, level)| Some((name, level?)))
        .collect()
}

/// The level of all layers of this process: that of the variable, or else the best one.
pub(crate) fn of_layers() -> Result<Level, Error> {
    static LEVEL: OnceLock<Result<Level, Refused>> = OnceLock::new();
    let level = LEVEL.get_or_init(|| match env::var_os(VARIABLE) {
        Some(name) => named(&name.to_string_lossy()),
        None => Ok(Level::new()),
    });
    level
        .as_ref()
        .copied()
        .map_err(|Refused { expected, found }| Error::Option {
            option: VARIABLE,
            expected,
            found: found.clone(),
        })
}

/// A name that is not that of a level of this machine.
#[derive(Debug)]
struct Refused {
    expected: String,
    found: String,
}

fn named(name: &str) -> Result<Level, Refused> {
    let levels = levels();
    if let Some((_, level)) = levels.iter().find(|(known, _)| *known == name) {
        return Ok(*level);
    }
    let names: Vec<_> = levels.iter().map(|(name, _)| format!("`{name}`")).collect();
    Err(Refused {
        expected: format!("one of {} on this machine", names.join(", ")),
        found: format!("`{name}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::{levels, named};

    #[test]
    fn every_level_is_found_by_its_name() {
        for (name, level) in levels() {
            assert_eq!(format!("{:?}", named(name).unwrap()), format!("{level:?}"));
        }
    }

    #[test]
    fn the_best_level_is_the_last_one() {
        let (_, last) = levels().pop().unwrap();
        assert_eq!(format!("{last:?}"), format!("{:?}", fearless_simd::Level::new()));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        for name in ["", "AVX2", "avx", "avx2 ", "neon2"] {
            let refused = named(name).unwrap_err();
            assert_eq!(refused.found, format!("`{name}`"));
            for (known, _) in levels() {
                assert!(refused.expected.contains(&format!("`{known}`")), "{refused:?}");
            }
        }
    }
}
