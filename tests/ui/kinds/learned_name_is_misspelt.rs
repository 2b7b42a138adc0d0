use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", piece = |x, slope| slope * x, learned(slop = 1.0))]
struct Foo;

fn main() {}
