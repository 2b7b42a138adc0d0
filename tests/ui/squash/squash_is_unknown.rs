use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", squash = "gelu")]
struct Foo;

fn main() {}
