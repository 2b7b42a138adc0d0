use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, slope| slop * x, init(slope = 1.0))]
struct Foo;

fn main() {}
