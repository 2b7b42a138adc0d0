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
    let (x, coefficients) = (zeros(samples * sets * len), zeros(samples * sets * A::Pieces::P * A::Pieces::K));
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

/// The names of the operations of a WGSL kernel from the first load of an element of x to the last store of one.
fn count(kernel: &str) -> BTreeMap<&str, usize> {
    let lines: Vec<_> = kernel.lines().collect();
    // `let v7 = &v1;` and `let v147 = &(*v7)[v119];`
    let element = |line: &str| {
        let pointer = line.split("&(*").nth(1)?.split(')').next()?.to_owned();
        let alias = lines.iter().find_map(|line| line.strip_prefix(&format!("let {pointer} = &")))?;
        let array = format!("> {}: array<vec4<f32>>;", alias.trim_end_matches(';'));
        lines.iter().any(|line| line.contains(&format!("var<storage, read_write{array}"))).then_some(())
    };
    let first = lines.iter().position(|line| element(line).is_some()).unwrap();
    let last = lines.iter().rposition(|line| element(line).is_some()).unwrap();
    let mut counts = BTreeMap::new();
    for line in &lines[first..last] {
        let Some((_, value)) = line.split_once(" = ") else { continue };
        let function = value.split('(').next().unwrap();
        let operators = [" * ", " + ", " - ", " / ", " > ", " >= ", " == ", " & "];
        let name = match operators.iter().find(|operator| value.contains(*operator)) {
            Some(operator) => operator.trim(),
            None if ["fma", "select", "exp", "log", "sqrt", "abs", "tanh", "bitcast<vec4<u32>>"].contains(&function) => function,
            None if value.starts_with('-') => "-x",
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
        let Some((description, source)) = kernel.split_once("```wgsl") else { continue };
        let mut names = description.split(['<', '>']);
        let kernel = names.next().unwrap().rsplit("::").next().unwrap().trim();
        let activation = names.next().unwrap().rsplit("::").next().unwrap().trim().trim_end_matches(',');
        if kernel == "FoldKernel" {
            continue;
        }
        let counts = count(source);
        let total: usize = counts.values().sum();
        let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
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
    expect![[""]].assert_eq(&table(&log));
}
