use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = [])]
struct Foo;

fn main() {}
