use dyrelu::dynamic_activation;

#[dynamic_activation(k = 1, share = "spatial", squash = "softmax")]
struct Foo;

fn main() {}
