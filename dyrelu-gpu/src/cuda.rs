//! The kernels as CUDA C, which needs no device: what CubeCL writes, and that a compiler takes it.

use crate::Number;
use crate::backward::backward_kernel::BackwardKernel;
use crate::backward::{WIDTH, members};
use crate::fold::fold_kernel::FoldKernel;
use crate::forward::forward_kernel::ForwardKernel;
use crate::grid::UNITS;
use crate::operands::Operands;
use cubecl::features::Features;
use cubecl::ir::{DeviceIdentity, HardwareProperties, MemoryDeviceProperties};
use cubecl::prelude::*;
use cubecl::profile::TimingMethod;
use cubecl::{CompilationError, Compiler, define_kernel};
use cubecl_cpp::shared::{CompilationOptions, CppCompiler};
use cubecl_cpp::target::Cuda;
use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised, DyT,
    DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon, OneDynamicPiece, PRelu, Plu, Pwlu, SRelu,
    SqueezeExcite,
};
use dyrelu::{DynamicActivation, Sharing, dynamic_activation};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A card of compute capability 8.0.
fn properties() -> Arc<DeviceProperties> {
    let hardware = HardwareProperties {
        load_width: 128,
        vector_register_count: None,
        plane_size_min: 32,
        plane_size_max: 32,
        max_bindings: 1024,
        max_shared_memory_size: 48 << 10,
        max_cube_count: (i32::MAX as u32, 65_535, 65_535),
        max_units_per_cube: 1024,
        max_cube_dim: (1024, 1024, 64),
        num_streaming_multiprocessors: Some(108),
        num_tensor_cores: None,
        min_tensor_cores_dim: None,
        num_cpu_cores: None,
        last_level_cache_size: None,
        max_vector_size: VectorSize::MAX,
        cube_mma_reserved_shared_memory: 0,
    };
    let mut properties = DeviceProperties::new(
        Features::default(),
        MemoryDeviceProperties::new(1 << 32, 512),
        hardware,
        TimingMethod::Device,
        DeviceIdentity::default(),
    );
    cubecl_cpp::register_supported_types(&mut properties);
    Arc::new(properties)
}

fn source(kernel: &impl CubeKernel) -> Result<String, CompilationError> {
    let kernel = define_kernel(kernel)?;
    Ok(CppCompiler::<Cuda>::default()
        .compile(kernel, &CompilationOptions::default())?
        .source)
}

macro_rules! kernel {
    ($kernel:ty, $cube:expr, $($argument:expr),*) => {
        <$kernel>::new(
            KernelSettings::new($cube.into(), ExecutionMode::Checked, AddressType::U32),
            properties(),
            Arc::default(),
            $($argument),*
        )
    };
}

/// The vectors that a unit computes.
const FORWARD_STEPS: usize = 4;
const BACKWARD_STEPS: usize = 8;

const BUFFER: BufferCompilationArg = BufferCompilationArg { inplace: None };

/// Rows of several tiles.
const TILES: ComptimeOptionCompilationArg<usize> = ComptimeOptionCompilationArg::Some(());

fn option<T: LaunchArg<CompilationArg = BufferCompilationArg>>(
    present: bool,
) -> ComptimeOptionCompilationArg<T> {
    if present {
        ComptimeOptionCompilationArg::Some(BUFFER)
    } else {
        ComptimeOptionCompilationArg::None
    }
}

/// The forward kernel for vectors of so many numbers.
fn forward<A: DynamicActivation>(vector: usize) -> String {
    let count = Operands::coefficients_of_set::<A>();
    let kernel = kernel!(
        ForwardKernel::<A>,
        CubeDim::new_2d(UNITS, 1),
        BUFFER,
        option(count > 0),
        option(A::SHARING == Sharing::Unshared),
        BUFFER,
        (),
        (),
        (),
        TILES,
        vector,
        FORWARD_STEPS,
        count,
        Number::F32.elem()
    );
    source(&kernel).unwrap()
}

/// The backward kernel, with the same.
fn backward<A: DynamicActivation>(vector: usize) -> String {
    let count = Operands::coefficients_of_set::<A>();
    let attention = A::SHARING == Sharing::Unshared;
    let (units, members) = if attention {
        (WIDTH, members(count))
    } else {
        (UNITS, 1)
    };
    let kernel = kernel!(
        BackwardKernel::<A>,
        CubeDim::new_2d(WIDTH, units / WIDTH),
        BUFFER,
        BUFFER,
        option(count > 0),
        option(attention),
        BUFFER,
        BUFFER,
        option(attention),
        (),
        (),
        (),
        (),
        TILES,
        vector,
        members,
        BACKWARD_STEPS,
        units,
        WIDTH,
        count,
        Number::F32.elem()
    );
    source(&kernel).unwrap()
}

/// What CUDA's headers would declare.
const PRELUDE: &str = r"
typedef unsigned long size_t;
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(n) __attribute__((launch_bounds(n)))
struct Indices { int x, y, z; };
#define threadIdx (Indices{__nvvm_read_ptx_sreg_tid_x(), __nvvm_read_ptx_sreg_tid_y(), 0})
#define blockIdx (Indices{__nvvm_read_ptx_sreg_ctaid_x(), __nvvm_read_ptx_sreg_ctaid_y(), __nvvm_read_ptx_sreg_ctaid_z()})
#define gridDim (Indices{__nvvm_read_ptx_sreg_nctaid_x(), __nvvm_read_ptx_sreg_nctaid_y(), __nvvm_read_ptx_sreg_nctaid_z()})
#define isnan __builtin_isnan
#define fma __builtin_fmaf
#define fabs __builtin_fabsf
#define max(a, b) ((a) > (b) ? (a) : (b))
__device__ float exp(float);
__device__ float log(float);
__device__ float sqrt(float);
__device__ float sin(float);
__device__ float cos(float);
";

/// The PTX of a kernel, if there is a compiler on this machine.
fn ptx(source: &str) -> Option<String> {
    let options = "-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -O2 -S -o - -";
    let mut clang = Command::new("clang")
        .args(options.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = clang.stdin.take().unwrap();
    input.write_all((PRELUDE.to_owned() + source).as_bytes()).unwrap();
    drop(input);
    let output = clang.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{source}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// How often a kernel's text reads elements of the buffer of this index, and writes them.
fn accesses(source: &str, index: usize) -> [usize; 2] {
    let (_, signature) = source.split_once("_kernel_").unwrap();
    let (_, parameters) = signature.split_once('(').unwrap();
    let (parameters, body) = parameters.split_once(')').unwrap();
    let (_, buffer) = parameters
        .split(", ")
        .nth(index)
        .unwrap()
        .rsplit_once(' ')
        .unwrap();
    let address = format!(" = &{buffer}[");
    let pointers = body.lines().filter_map(|line| {
        let (pointer, _) = line.split_once(&address)?;
        pointer.rsplit(' ').next()
    });
    pointers.fold([0, 0], |[reads, writes], pointer| {
        let (read, write) = (format!(" = *{pointer};"), format!("*{pointer} = "));
        [
            reads + body.lines().filter(|line| line.ends_with(&read)).count(),
            writes + body.lines().filter(|line| line.starts_with(&write)).count(),
        ]
    })
}

/// That a kernel reads its first buffers once and writes the next one once, in each of its copies of the work, and that the
/// rest is in registers.
fn check_kernel(name: &str, source: &str, inputs: usize, others: usize, copies: usize) {
    for input in 0..inputs {
        assert_eq!(accesses(source, input), [copies, 0], "{name}, input {input}");
    }
    assert_eq!(accesses(source, inputs + others), [0, copies], "{name}, output");
    if let Some(ptx) = ptx(source) {
        assert!(ptx.contains(".visible .entry"), "{name}:\n{ptx}");
        assert!(!ptx.contains("ld.local"), "{name}: not all in registers:\n{ptx}");
    }
}

/// Both kernels of an activation, for vectors and where rows are too odd for them.
fn check<A: DynamicActivation>() {
    let attention = A::SHARING == Sharing::Unshared;
    let others = usize::from(Operands::coefficients_of_set::<A>() > 0) + usize::from(attention);
    for vector in [1, 4] {
        check_kernel(A::NAME, &forward::<A>(vector), 1, others, FORWARD_STEPS);
        // Only in mode C are the steps unrolled.
        let copies = if attention { BACKWARD_STEPS } else { 1 };
        check_kernel(A::NAME, &backward::<A>(vector), 2, others, copies);
    }
}

macro_rules! activations {
    ($($name:ident: $k:tt $share:tt;)*) => {$(
        #[dynamic_activation(k = $k, share = $share)]
        struct $name;
    )*};
}

activations! {
    A1: 1 "spatial+channel"; A2: 2 "spatial+channel"; A3: 3 "spatial+channel"; A4: 4 "spatial+channel";
    B1: 1 "spatial"; B2: 2 "spatial"; B3: 3 "spatial"; B4: 4 "spatial";
    C1: 1 "none"; C2: 2 "none"; C3: 3 "none"; C4: 4 "none";
}

macro_rules! tests {
    ($($test:ident: $($activation:ident)*;)*) => {$(
        #[test]
        fn $test() {
            $(check::<$activation>();)*
        }
    )*};
}

tests! {
    lines: A1 A2 A3 A4 B1 B2 B3 B4 C1 C2 C3 C4;
    dynamic: DyReluA DyReluB DyReluC OneDynamicPiece DyHead DyHeadBetween DyReluNormalised SqueezeExcite ApRelu DynamicSwish;
    learned: ARelu AconC Apl DyT HardSwish LeakyRelu Maxout MetaAcon PRelu Plu Pwlu SRelu;
}

#[test]
fn sums() {
    let kernel = kernel!(
        FoldKernel,
        CubeDim::new_2d(UNITS / 8, 8),
        BUFFER,
        BUFFER,
        (),
        (),
        (),
        8
    );
    check_kernel("fold", &source(&kernel).unwrap(), 1, 0, 1);
}
