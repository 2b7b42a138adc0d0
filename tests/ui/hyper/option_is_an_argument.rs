use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", context = "external", layers = 1, inner = "none")]
struct Foo;

fn main() {}
