use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "DY-ReLU-B")]
struct Foo;

fn main() {}
