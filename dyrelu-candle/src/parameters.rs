//! [`Parameters`]: the parameters of a layer, as candle sees them.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder};
use dyrelu_core::{Declaration, Initial};

/// Parameters with the names, shapes and order of the ndarray engine.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(Vec<(&'static str, Tensor)>);

impl Parameters {
    /// Parameters that are loaded, or drawn where they are to be trained.
    pub(crate) fn new(declarations: Vec<Declaration>, vb: &VarBuilder<'_>) -> Result<Self> {
        let declarations = declarations.into_iter();
        declarations
            .map(|declaration| Ok((declaration.name, parameter(&declaration, vb)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Tensor)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The number type of the parameters, if there are any.
    pub(crate) fn dtype(&self) -> Option<DType> {
        self.0.first().map(|(_, value)| value.dtype())
    }

    /// Whether they are variables, which others may share.
    pub(crate) fn are_variables(&self) -> bool {
        self.0.iter().all(|(_, value)| value.is_variable())
    }

    /// Gives all parameters other values, in their order: variables are set, others replaced.
    pub(crate) fn assign(&mut self, values: Vec<Tensor>) -> Result<()> {
        for ((_, parameter), value) in self.0.iter_mut().zip(values) {
            let value = value.to_dtype(parameter.dtype())?.to_device(parameter.device())?;
            if parameter.is_variable() {
                Var::from_tensor(parameter)?.set(&value)?;
            } else {
                *parameter = value;
            }
        }
        Ok(())
    }

    /// The parameter of this name, in another float type.
    pub(crate) fn get(&self, name: &str, dtype: DType) -> Result<Tensor> {
        let found = self.iter().find(|(found, _)| *found == name);
        let (_, value) = found.unwrap_or_else(|| unreachable!("a description with `{name}` has declared it"));
        value.to_dtype(dtype)
    }

    /// The matrix of this name; a vector has one column.
    pub(crate) fn matrix(&self, name: &str, dtype: DType) -> Result<Tensor> {
        let value = self.get(name, dtype)?;
        if value.rank() == 1 {
            value.unsqueeze(1)
        } else {
            Ok(value)
        }
    }

    /// All values one after the other.
    pub(crate) fn flat(&self, dtype: DType) -> Result<Tensor> {
        let values = self.iter().map(|(_, value)| value.flatten_all()?.to_dtype(dtype));
        let values = values.collect::<Result<Vec<_>>>()?;
        if values.is_empty() {
            return Tensor::zeros(0, dtype, &Device::Cpu);
        }
        Tensor::cat(&values, 0)
    }
}

fn parameter(declaration: &Declaration, vb: &VarBuilder<'_>) -> Result<Tensor> {
    let Declaration { name, shape, initial } = declaration;
    let init = match *initial {
        Initial::Uniform { inputs } => {
            let bound = 1.0 / (inputs as f64).sqrt();
            Init::Uniform {
                lo: -bound,
                up: bound,
            }
        }
        Initial::Constant(value) => Init::Const(value),
        Initial::PerPiece(constants) => Init::Const(constants.of(0)),
    };
    let is_new = !vb.contains_tensor(name);
    let value = vb
        .get_with_hints(shape.as_slice(), name, init)
        .or_else(|error| of_convolution(declaration, vb).ok_or(error))?;
    if let (Initial::PerPiece(constants), &[_, pieces], true, true) =
        (initial, shape.as_slice(), is_new, value.is_variable())
    {
        // No `Init` has a value for each column.
        let row = (0..pieces).map(|k| constants.of(k)).collect::<Vec<_>>();
        let row = Tensor::from_vec(row, (1, pieces), &Device::Cpu)?.to_dtype(value.dtype())?;
        let rows = row.to_device(value.device())?.broadcast_as(value.shape())?;
        Var::from_tensor(&value)?.set(&rows.contiguous()?)?;
    }
    Ok(value)
}

/// The matrix that a file has as the weight of a 1×1 convolution, with trailing axes of length 1.
fn of_convolution(declaration: &Declaration, vb: &VarBuilder<'_>) -> Option<Tensor> {
    let weight = vb.get_unchecked_dtype(declaration.name, vb.dtype()).ok()?;
    let (matrix, trailing) = weight.dims().split_at_checked(2)?;
    let fits = matrix == declaration.shape && trailing.iter().all(|&len| len == 1);
    fits.then(|| weight.reshape(matrix).ok())?
}
