use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", squash(b = "sigmiod"))]
struct Foo;

fn main() {}
