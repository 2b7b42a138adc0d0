use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", crate = "dyrelu")]
struct Foo;

fn main() {}
