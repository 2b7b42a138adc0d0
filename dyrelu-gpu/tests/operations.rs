//! How many operations the generated kernels need for each element.

use cubecl::Device;
use cubecl::config::compilation::CompilationLogLevel;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use dyrelu::gallery::{AconC, DyReluB, DyReluC, DynamicSwish, PRelu};
use dyrelu::kernels::piecewise::PieceSet;
use dyrelu::{DynamicActivation, Sharing};
use dyrelu_gpu::{Number, Operands, backward, forward};
use expect_test::expect;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{fs, path::Path};

/// Compiles the kernels of an activation: one vector for each unit.
fn compile<A: DynamicActivation>() {
    let client = Device::default().client();
    let zeros = |len: usize| client.create_from_slice(&vec![0; 4 * len]);
    let (samples, sets, len) = (2, 3, 64);
    let (x, coefficients) = (
        zeros(samples * sets * len),
        zeros(samples * sets * A::Pieces::P * A::Pieces::K),
    );
    let attention = (A::SHARING == Sharing::Unshared).then(|| zeros(samples * len));
    let operands = Operands {
        samples,
        sets,
        len,
        number: Number::F32,
        x: &x,
        coefficients: Some(&coefficients),
        attention: attention.as_ref(),
    };
    let y = forward::<A>(&client, &operands).unwrap();
    let gradients = backward::<A>(&client, &operands, &x).unwrap();
    for handle in [y, gradients.x] {
        client.read_one(handle).unwrap();
    }
}

/// The operations of a WGSL kernel from a load of an element to the end of that block: of the block that has the most.
fn count(kernel: &str) -> BTreeMap<&str, usize> {
    let lines: Vec<_> = kernel.lines().collect();
    // Declared as `var<storage, read_write> v1: array<vec4<f32>>;`, named by `let v7 = &v1;`, read by `let v147 = &(*v7)[v119];`.
    let is_element = |line: &&str| {
        let Some((_, pointer)) = line.split_once("&(*") else {
            return false;
        };
        let named = format!("let {} = &", pointer.split(')').next().unwrap());
        let array = lines
            .iter()
            .find_map(|line| line.strip_prefix(&named))
            .unwrap()
            .trim_end_matches(';');
        kernel.contains(&format!("var<storage, read_write> {array}: array<vec4<f32>>;"))
    };
    let blocks = (0..lines.len())
        .filter(|&i| is_element(&lines[i]))
        .map(|i| count_block(&lines[i..]));
    blocks
        .max_by_key(|counts| counts.values().sum::<usize>())
        .unwrap()
}

/// The operations from a line to the end of its block.
fn count_block<'a>(lines: &[&'a str]) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines.iter().take_while(|line| **line != "}") {
        let Some((_, value)) = line.split_once(" = ") else {
            continue;
        };
        let function = value.split('(').next().unwrap();
        let operators = [" * ", " + ", " - ", " / ", " > ", " >= ", " == ", " & "];
        let functions = ["fma", "select", "exp", "log", "sqrt", "abs", "bitcast<vec4<u32>>"];
        let operator = operators.iter().find(|operator| value.contains(*operator));
        let name = match operator {
            Some(operator) => operator.trim(),
            None if functions.contains(&function) => function,
            None if value.starts_with('-') => "negation",
            // A constant, a scalar that becomes a vector, or a load.
            None => continue,
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

fn table(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap();
    let mut table = String::new();
    for kernel in log.split("[START_KERNEL_COMPILATION]") {
        let Some((description, source)) = kernel.split_once("```wgsl") else {
            continue;
        };
        // `name: dyrelu_gpu::forward::forward_kernel::ForwardKernel<` and, if it is for one, the activation's path.
        let mut names = description.split(['<', '>']);
        let kernel = names.next().unwrap().rsplit("::").next().unwrap();
        let Some(activation) = names.next() else { continue };
        let activation = activation
            .rsplit("::")
            .next()
            .unwrap()
            .trim()
            .trim_end_matches(',');
        let counts = count(source);
        let total: usize = counts.values().sum();
        let counts: Vec<_> = counts
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        writeln!(table, "{activation} {kernel}: {total} = {}", counts.join(", ")).unwrap();
    }
    table
}

#[test]
fn operations() {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operations.log");
    let _ = fs::remove_file(&log);
    let mut config = CubeClRuntimeConfig::default();
    config.compilation.logger.level = CompilationLogLevel::Full;
    config.compilation.logger.file = Some(log.clone());
    CubeClRuntimeConfig::set(config);
    compile::<DyReluB>();
    compile::<DyReluC>();
    compile::<PRelu>();
    compile::<DynamicSwish>();
    compile::<AconC>();
    expect![[r"
        DyReluB ForwardKernel: 8 = 1 &, 2 >, 1 bitcast<vec4<u32>>, 2 fma, 2 select
        DyReluB BackwardKernel: 17 = 1 &, 1 *, 2 +, 2 >, 1 bitcast<vec4<u32>>, 4 fma, 6 select
        DyReluC ForwardKernel: 9 = 1 &, 1 *, 2 >, 1 bitcast<vec4<u32>>, 2 fma, 2 select
        DyReluC BackwardKernel: 20 = 1 &, 2 *, 2 +, 2 >, 1 bitcast<vec4<u32>>, 5 fma, 7 select
        PRelu ForwardKernel: 3 = 1 *, 1 >, 1 select
        PRelu BackwardKernel: 5 = 1 *, 1 >, 1 fma, 2 select
        DynamicSwish ForwardKernel: 6 = 2 *, 1 +, 1 /, 1 exp, 1 negation
        DynamicSwish BackwardKernel: 13 = 6 *, 1 +, 1 -, 1 /, 1 exp, 2 fma, 1 negation
        AconC ForwardKernel: 10 = 4 *, 1 +, 1 -, 1 /, 1 exp, 1 fma, 1 negation
        AconC BackwardKernel: 28 = 13 *, 4 +, 3 -, 1 /, 1 exp, 4 fma, 2 negation
    "]]
    .assert_eq(&table(&log));
}
