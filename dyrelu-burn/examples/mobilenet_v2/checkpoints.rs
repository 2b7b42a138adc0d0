//! [`Checkpoints`]: the state of a training after an epoch, as files.

use std::fs;
use std::io;
use std::path::PathBuf;

use burn::lr_scheduler::LrSchedulerRecord;
use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use burn::train::checkpoint::{Checkpointer, CheckpointerError, FileCheckpointer};

use crate::journal::{Epoch, Journal};

/// The checkpoints of a training: model, optimiser and learning rate as Burn saves them, and the journal.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints {
    directory: PathBuf,
}

/// Checkpoints that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot create the directory `{}`: {error}", path.display())]
    Directory { path: PathBuf, error: io::Error },
    #[error("cannot read `{}`: {error}", path.display())]
    Journal { path: PathBuf, error: io::Error },
    #[error("cannot delete `{}`: {error}", path.display())]
    Remove { path: PathBuf, error: io::Error },
}

impl Checkpoints {
    pub(crate) fn new(directory: PathBuf) -> Result<Self, Error> {
        match fs::create_dir_all(&directory) {
            Ok(()) => Ok(Self { directory }),
            Err(error) => Err(Error::Directory {
                path: directory,
                error,
            }),
        }
    }

    /// The last epoch with a complete checkpoint. Burn writes its files under another name first: those that exist are whole.
    pub(crate) fn latest(&self) -> Option<usize> {
        let exists = |name: &str, epoch| self.directory.join(format!("{name}-{epoch}.bpk")).exists();
        let complete = |&epoch: &usize| exists("optimizer", epoch) && exists("scheduler", epoch);
        let entries = fs::read_dir(&self.directory).ok()?;
        let epochs = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix("model-")?.strip_suffix(".bpk")?.parse().ok()
        });
        epochs.filter(complete).max()
    }

    /// What the journal held after this epoch.
    pub(crate) fn journal(&self, epoch: usize) -> Result<Vec<Epoch>, Error> {
        let path = self.journal_path(epoch);
        let read = || Ok(serde_json::from_slice(&fs::read(&path)?)?);
        read().map_err(|error| Error::Journal {
            path: path.clone(),
            error,
        })
    }

    /// What saves the model, and this journal.
    pub(crate) fn model(&self, journal: Journal) -> impl Checkpointer<ModuleRecord> + use<> {
        ModelCheckpointer {
            model: self.file("model"),
            checkpoints: self.clone(),
            journal,
        }
    }

    pub(crate) fn optimizer(&self) -> impl Checkpointer<OptimizerRecord> + use<> {
        self.file("optimizer")
    }

    pub(crate) fn scheduler(&self) -> impl Checkpointer<LrSchedulerRecord> + use<> {
        self.file("scheduler")
    }

    /// Deletes all of them.
    pub(crate) fn remove(self) -> Result<(), Error> {
        let path = self.directory;
        fs::remove_dir_all(&path).map_err(|error| Error::Remove { path, error })
    }

    fn file(&self, name: &str) -> FileCheckpointer {
        FileCheckpointer::new(&self.directory, name)
    }

    fn journal_path(&self, epoch: usize) -> PathBuf {
        self.directory.join(format!("journal-{epoch}.json"))
    }
}

struct ModelCheckpointer {
    model: FileCheckpointer,
    checkpoints: Checkpoints,
    journal: Journal,
}

impl Checkpointer<ModuleRecord> for ModelCheckpointer {
    /// The journal first: where there is a model, there is a whole journal.
    fn save(&self, epoch: usize, record: ModuleRecord) -> Result<(), CheckpointerError> {
        let json = serde_json::to_vec(&self.journal.epochs(epoch)).expect("a journal is JSON");
        fs::write(self.checkpoints.journal_path(epoch), json).map_err(CheckpointerError::IOError)?;
        self.model.save(epoch, record)
    }

    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        Checkpointer::<ModuleRecord>::delete(&self.model, epoch)?;
        match fs::remove_file(self.checkpoints.journal_path(epoch)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CheckpointerError::IOError(error)),
            _ => Ok(()),
        }
    }

    fn restore(&self, epoch: usize) -> Result<ModuleRecord, CheckpointerError> {
        self.model.restore(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::turn;
    use burn::module::Module;
    use burn::nn::LinearConfig;
    use burn::optim::SgdConfig;
    use burn::tensor::Device;

    #[test]
    fn only_complete_checkpoints_count() {
        let _turn = turn();
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(directory.path().join("checkpoint")).unwrap();
        assert_eq!(checkpoints.latest(), None);

        let epochs = vec![Epoch::default(); 2];
        let model = checkpoints.model(Journal::resume(epochs.clone()));
        for epoch in [1, 2] {
            let module = LinearConfig::new(2, 2).init(&Device::flex());
            model.save(epoch, module.into_record()).unwrap();
            let optimizer = SgdConfig::new().init();
            checkpoints
                .optimizer()
                .save(epoch, optimizer.to_record())
                .unwrap();
        }
        assert_eq!(checkpoints.latest(), None);
        let scheduler = checkpoints.scheduler();
        scheduler.save(1, LrSchedulerRecord::new()).unwrap();
        assert_eq!(checkpoints.latest(), Some(1));
        assert_eq!(checkpoints.journal(1).unwrap(), epochs[..1]);
        scheduler.save(2, LrSchedulerRecord::new()).unwrap();
        assert_eq!(checkpoints.latest(), Some(2));
        model.delete(2).unwrap();
        assert_eq!(checkpoints.latest(), Some(1));
        assert!(checkpoints.journal(2).is_err());
        checkpoints.remove().unwrap();
    }
}
