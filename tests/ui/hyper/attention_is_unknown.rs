use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "none", attention = "sparsemax")]
struct Foo;

fn main() {}
