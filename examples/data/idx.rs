//! The IDX format of MNIST and its relatives: a magic number, the size of each axis, then the elements.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use ndarray::{Array, Dimension, IxDyn};

/// The third byte of the magic number where the elements are unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` {problem}", path.display())]
pub(crate) struct Error {
    pub(crate) path: PathBuf,
    pub(crate) problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("is not an intact gzip file: {0}")]
    Gzip(io::Error),
    #[error("is not an IDX file of bytes with {axes} axes: it starts with {found:02x?}, not {expected:02x?}")]
    Magic {
        axes: usize,
        expected: [u8; 4],
        found: Vec<u8>,
    },
    #[error("is damaged: it ends after {found} of the {expected} bytes of its header")]
    Header { expected: usize, found: usize },
    #[error(
        "is damaged: it holds {found} bytes of data, but its header announces {shape:?}, {expected} bytes"
    )]
    Size {
        shape: Vec<usize>,
        expected: u128,
        found: usize,
    },
}

/// Reads the bytes of an IDX file as an array; a file with the extension `gz` is unpacked.
pub(crate) fn read<D: Dimension>(path: &Path) -> Result<Array<u8, D>, Error> {
    unpack(path)
        .and_then(|bytes| parse(&bytes))
        .map_err(|problem| Error {
            path: path.to_owned(),
            problem,
        })
}

/// The content of a file, unpacked where it is a gzip file.
fn unpack(path: &Path) -> Result<Vec<u8>, Problem> {
    let content = fs::read(path).map_err(Problem::Unreadable)?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Ok(content);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(content.as_slice())
        .read_to_end(&mut unpacked)
        .map_err(Problem::Gzip)?;
    Ok(unpacked)
}

/// The array that the bytes of an IDX file describe.
fn parse<D: Dimension>(bytes: &[u8]) -> Result<Array<u8, D>, Problem> {
    let axes = D::NDIM.expect("the type has a number of axes");
    let magic = [
        0,
        0,
        UNSIGNED_BYTE,
        u8::try_from(axes).expect("a type has few axes"),
    ];
    if !bytes.starts_with(&magic) {
        let found = bytes.iter().take(magic.len()).copied().collect();
        return Err(Problem::Magic {
            axes,
            expected: magic,
            found,
        });
    }
    let header = magic.len() + 4 * axes;
    let Some((header, data)) = bytes.split_at_checked(header) else {
        return Err(Problem::Header {
            expected: header,
            found: bytes.len(),
        });
    };
    let (sizes, _) = header[magic.len()..].as_chunks();
    let shape: Vec<usize> = sizes
        .iter()
        .map(|&size| u32::from_be_bytes(size) as usize)
        .collect();
    let array = Array::from_shape_vec(IxDyn(&shape), data.to_vec()).map_err(|_| Problem::Size {
        expected: shape.iter().map(|&size| size as u128).product(),
        found: data.len(),
        shape,
    })?;
    Ok(array
        .into_dimensionality()
        .expect("the header has as many sizes as the type has axes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use ndarray::{Array2, Ix1, Ix2, Ix3, array};
    use std::io::Write;

    /// Two axes, 2 × 3.
    const VALID: &[u8] = &[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Reads a file of this name and content.
    fn read_file(name: &str, content: &[u8]) -> Result<Array2<u8>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        read(&path)
    }

    #[test]
    fn plain_and_packed_files_hold_the_same_array() {
        let expected = array![[1, 2, 3], [4, 5, 6]];
        assert_eq!(read_file("images", VALID).unwrap(), expected);
        assert_eq!(read_file("images.gz", &gzip(VALID)).unwrap(), expected);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read::<Ix1>(Path::new("no/such/labels")).unwrap_err();
        assert!(matches!(error.problem, Problem::Unreadable(_)));
        assert!(
            error.to_string().starts_with("`no/such/labels` cannot be read: "),
            "{error}"
        );
    }

    #[test]
    fn damaged_gzip_files_are_found() {
        let packed = gzip(VALID);
        let mut flipped = packed.clone();
        let checksum = packed.len() - 8;
        flipped[checksum] ^= 1;
        for content in [VALID, &packed[..packed.len() - 1], &flipped, &[]] {
            let error = read_file("images.gz", content).unwrap_err();
            assert!(matches!(error.problem, Problem::Gzip(_)), "{error}");
        }
    }

    #[test]
    fn other_formats_and_other_numbers_of_axes_are_found() {
        for content in [&b"\x89PNG\r\n"[..], &[0, 0, 8], &[]] {
            let problem = parse::<Ix2>(content).unwrap_err();
            assert!(matches!(problem, Problem::Magic { .. }), "{problem}");
        }
        let problem = parse::<Ix3>(VALID).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "is not an IDX file of bytes with 3 axes: it starts with [00, 00, 08, 02], not [00, 00, 08, 03]"
        );
    }

    #[test]
    fn short_and_long_files_are_found() {
        let problem = parse::<Ix2>(&VALID[..11]).unwrap_err();
        assert!(
            matches!(
                problem,
                Problem::Header {
                    expected: 12,
                    found: 11
                }
            ),
            "{problem}"
        );
        let problem = parse::<Ix2>(&VALID[..17]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "is damaged: it holds 5 bytes of data, but its header announces [2, 3], 6 bytes"
        );
        let problem = parse::<Ix2>(&[VALID, &[7]].concat()).unwrap_err();
        assert!(
            matches!(
                problem,
                Problem::Size {
                    expected: 6,
                    found: 7,
                    ..
                }
            ),
            "{problem}"
        );
    }

    #[test]
    fn absurd_sizes_are_found() {
        let header = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
        let problem = parse::<Ix3>(&header).unwrap_err();
        assert!(matches!(problem, Problem::Size { found: 0, .. }), "{problem}");
    }
}
