//! [`Operands`]: what an activation reads, in a device's memory.

use crate::Error;
use crate::grid::UNITS;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::zspace::Tiling;
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{DynamicActivation, Sharing};

/// What an activation reads. Arrays are contiguous, the last axis fastest.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// N.
    pub samples: usize,
    /// C in modes B and C; 1 in mode A.
    pub sets: usize,
    /// The number of consecutive elements of x that share one set of coefficients.
    pub len: usize,
    /// How x, y and their gradients are stored.
    pub number: Number,
    /// `[N, sets, len]`.
    pub x: &'a Handle,
    /// `[N, sets, P, K]` of `f32`, if a piece has any.
    pub coefficients: Option<&'a Handle>,
    /// π, `[N, len]` of `f32`, in mode C.
    pub attention: Option<&'a Handle>,
}

/// An array `[N, C, S]` in a device's memory, contiguous: S positions of each channel of each sample.
#[derive(Debug, Clone, Copy)]
pub struct Planes<'a> {
    /// N.
    pub samples: usize,
    /// C.
    pub channels: usize,
    /// S.
    pub positions: usize,
    /// How the elements are stored.
    pub number: Number,
    /// The elements.
    pub values: &'a Handle,
}

impl<'a> Planes<'a> {
    /// A row for each channel of each sample.
    pub(crate) fn rows(self) -> Rows<'a> {
        Rows {
            count: self.samples * self.channels,
            len: self.positions,
            number: self.number,
            values: self.values,
        }
    }
}

/// An array `[count, len]` in a device's memory, contiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) count: usize,
    pub(crate) len: usize,
    pub(crate) number: Number,
    pub(crate) values: &'a Handle,
}

impl Rows<'_> {
    pub(crate) fn elements(&self) -> usize {
        self.count * self.len
    }

    /// The size of the array.
    pub(crate) fn size(&self) -> usize {
        self.elements() * self.number.size()
    }

    /// The elements as vectors of this size.
    pub(crate) fn buffer(&self, vector: usize) -> BufferArg {
        buffer(self.values, self.elements() / vector)
    }

    pub(crate) fn check(&self, what: &'static str) -> Result<(), Error> {
        let elements = self.elements();
        if u32::try_from(elements).is_err() {
            return Err(Error::Elements { elements });
        }
        check_size(what, self.size(), self.values)
    }
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Half precision with the exponent of single precision.
    Bf16,
}

impl Number {
    pub(crate) fn elem(self) -> ElemType {
        ElemType::Float(match self {
            Self::F32 => FloatKind::F32,
            Self::F16 => FloatKind::F16,
            Self::Bf16 => FloatKind::BF16,
        })
    }

    pub(crate) fn size(self) -> usize {
        self.elem().size()
    }
}

/// Whether there are kernels for an activation on a device: its pieces see no neighbours, and the device knows the numbers and
/// has large enough workgroups.
#[must_use]
pub fn supports<A: DynamicActivation>(client: &Client, number: Number) -> bool {
    let properties = client.properties();
    A::NEIGHBOURS.is_empty()
        && properties.hardware.max_units_per_cube >= UNITS
        && properties.supports_type(number.elem())
}

impl Operands<'_> {
    /// P·K.
    pub(crate) fn coefficients_of_set<A: DynamicActivation>() -> usize {
        A::Pieces::P * A::Pieces::K
    }

    pub(crate) fn rows(&self) -> usize {
        self.samples * self.sets
    }

    pub(crate) fn elements(&self) -> usize {
        self.rows() * self.len
    }

    /// The size of an array as x.
    pub(crate) fn size(&self) -> usize {
        self.elements() * self.number.size()
    }

    pub(crate) fn check<A: DynamicActivation>(&self, client: &Client) -> Result<(), Error> {
        if !supports::<A>(client, self.number) {
            let (name, number) = (A::NAME, self.number);
            return Err(Error::Unsupported { name, number });
        }
        self.x_rows().check("x")?;
        let coefficients = self.rows() * Self::coefficients_of_set::<A>() * size_of::<f32>();
        match self.coefficients {
            Some(handle) => check_size("coefficients", coefficients, handle)?,
            None if coefficients == 0 => {}
            None => {
                let (what, expected) = ("coefficients", coefficients as u64);
                return Err(Error::Size {
                    what,
                    expected,
                    found: 0,
                });
            }
        }
        let (expected, found) = match (A::SHARING, self.attention) {
            (Sharing::Unshared, Some(attention)) => {
                return check_f32s("attention", self.samples * self.len, attention);
            }
            (Sharing::Unshared, None) => ("an attention in mode C", "none"),
            (_, None) => return Ok(()),
            (_, Some(_)) => ("no attention in modes A and B", "one"),
        };
        Err(Error::Attention { expected, found })
    }

    /// x with a row for each set.
    pub(crate) fn x_rows(&self) -> Rows<'_> {
        Rows {
            count: self.rows(),
            len: self.len,
            number: self.number,
            values: self.x,
        }
    }

    pub(crate) fn coefficients<A: DynamicActivation>(&self) -> Option<BufferArg> {
        Some(buffer(
            self.coefficients?,
            self.rows() * Self::coefficients_of_set::<A>(),
        ))
    }

    /// The attention as vectors of this size.
    pub(crate) fn attention(&self, vector: usize) -> Option<BufferArg> {
        let attention = self.attention?;
        Some(buffer(attention, self.samples * self.len / vector))
    }
}

pub(crate) fn check_size(what: &'static str, expected: usize, handle: &Handle) -> Result<(), Error> {
    let (expected, found) = (expected as u64, handle.size_in_used());
    // An allocator may round up.
    if found >= expected {
        Ok(())
    } else {
        Err(Error::Size {
            what,
            expected,
            found,
        })
    }
}

/// [`check_size`] for an array of so many numbers of `f32`.
pub(crate) fn check_f32s(what: &'static str, count: usize, handle: &Handle) -> Result<(), Error> {
    check_size(what, count * size_of::<f32>(), handle)
}

/// A new array of so many numbers of `f32`, which may be none.
pub(crate) fn f32s(client: &Client, count: usize) -> Handle {
    client.empty(count.max(1) * size_of::<f32>())
}

/// The same with zeros in it.
pub(crate) fn zeros(client: &Client, count: usize) -> Handle {
    client.create_from_slice(&vec![0; count * size_of::<f32>()])
}

/// A buffer of so many elements, as an argument of a kernel. There it may be longer: kernels are told how many elements count.
pub(crate) fn buffer(handle: &Handle, len: usize) -> BufferArg {
    TensorBinding {
        handle: handle.clone().binding(),
        strides: [1].into(),
        shape: [len].into(),
        tiling: Tiling::UNTILED,
    }
    .into_buffer_arg()
}
