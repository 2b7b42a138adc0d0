//! Damaged and hostile files: typed errors, no panic, no code run, no memory bomb. `tests/hostile/make_files.py` makes them.

use dyrelu_checkpoint::{Checkpoint, Error};
use std::path::{Path, PathBuf};

fn open(name: &str) -> Result<Checkpoint, Error> {
    Checkpoint::open(hostile(name))
}

fn hostile(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/hostile")
        .join(name)
}

#[test]
fn a_tensor_that_repeats_one_number_is_not_expanded() {
    let error = open("expanded.pth").unwrap_err();
    assert!(
        matches!(&error, Error::Expanded { name, bytes, .. } if name == "act.fc1.weight" && *bytes == 1 << 32)
    );
    assert!(
        error.to_string().contains("would take 4294967296 bytes"),
        "{error}"
    );
}

#[test]
fn storages_that_are_short_or_missing_are_errors_that_name_the_tensor() {
    for name in ["short.pth", "no_storage.pth"] {
        let error = open(name).unwrap_err();
        assert!(
            matches!(error, Error::Tensor { .. } | Error::Pytorch { .. })
                && error.to_string().contains("act.fc1.weight"),
            "{error}"
        );
    }
}

#[test]
fn a_name_that_a_header_has_is_refused() {
    let error = open("metadata.pth").unwrap_err();
    assert_eq!(error.to_string(), "a tensor cannot be called `__metadata__`");
}

/// What is tied or expanded in a small file is read all the same.
#[test]
fn tensors_may_be_stored_once() {
    let checkpoint = open("tied.pth").unwrap();
    assert_eq!(checkpoint.tensors().len(), 41);
}

#[test]
fn code_is_not_run() {
    let result = open("command.pth");
    assert!(!Path::new("ran_code").exists());
    assert!(result.map_or(true, |checkpoint| checkpoint.tensors().is_empty()));
}

#[test]
fn a_file_without_tensors_is_an_empty_checkpoint() {
    let checkpoint = open("no_tensors.pth").unwrap();
    assert!(checkpoint.tensors().is_empty() && checkpoint.activations(2).is_empty());
}

#[test]
fn files_that_are_no_checkpoints_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.pth");
    let message = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        let message = Checkpoint::open(&path).unwrap_err().to_string();
        message.replace(&path.display().to_string(), "model.pth")
    };
    for content in [b"".as_slice(), b"hello, I am no checkpoint", &[0x80], &[0; 64]] {
        let message = message(content);
        assert!(
            message.starts_with("cannot read `model.pth` as a safetensors file or a PyTorch checkpoint: "),
            "{message}"
        );
    }
    // What begins as a safetensors file is one, and is damaged.
    assert!(
        message(b"\x40\0\0\0\0\0\0\0{\"a\":").starts_with("`model.pth` is not a valid safetensors file: ")
    );
    let missing = Checkpoint::open(directory.path().join("nothing.pth")).unwrap_err();
    assert!(matches!(missing, Error::File { action: "read", .. }), "{missing}");
    let a_directory = Checkpoint::open(directory.path()).unwrap_err();
    assert!(
        matches!(a_directory, Error::File { action: "read", .. }),
        "{a_directory}"
    );
}

/// Cut at every length and with bytes changed: an error or other tensors, no panic.
#[test]
fn damaged_pytorch_files_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.pth");
    let conventions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conventions");
    for name in ["dynamic_head_no_bias_f32.pth", "paper_f32.pth"] {
        let bytes = std::fs::read(conventions.join(name)).unwrap();
        let open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Checkpoint::open(&path).map(|checkpoint| checkpoint.activations(2).len())
        };
        for len in (0..bytes.len()).step_by(41) {
            assert!(open(&bytes[..len]).is_err(), "{name} of {len} bytes");
        }
        for i in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[i] ^= 0xff;
            let _ = open(&damaged);
        }
    }
}

/// A conversion that would lose a tensor is refused.
#[test]
fn names_that_are_taken_are_errors() {
    use dyrelu::safetensors::{Dtype, serialize, tensor::TensorView};
    let zeros = [0; 4 * 64];
    let view = |shape: &[usize]| {
        TensorView::new(
            Dtype::F32,
            shape.into(),
            &zeros[..4 * shape.iter().product::<usize>()],
        )
        .unwrap()
    };
    let tensors = [
        ("fc1.weight", view(&[1, 4])),
        ("fc1.bias", view(&[1])),
        ("fc2.weight", view(&[16, 1])),
        ("fc2.bias", view(&[16])),
        ("conv1.conv.weight", view(&[8])),
    ];
    let checkpoint = Checkpoint::from_safetensors(serialize(tensors, None).unwrap()).unwrap();
    let found = checkpoint.activations(2);
    assert_eq!(found.len(), 1);
    let error = checkpoint
        .convert(&found, "mmdetection".parse().unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "two tensors would have the name `conv1.conv.weight`"
    );
    let mut wrong = found.clone();
    wrong[0].pieces = 3;
    let error = checkpoint
        .convert(&wrong, "dynamic-head".parse().unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected the tensor `fc2.weight` to have 24 rows, found shape [16, 1]"
    );
}
