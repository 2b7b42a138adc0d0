use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = [|x, a| a, |x| 0.0], init(a = 1.0))]
struct Foo;

fn main() {}
