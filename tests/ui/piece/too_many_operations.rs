use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 2,
    share = "spatial",
    piece = |x, a| {
        let t = a * x;
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        let t = if t > x { tanh(t) * t } else { t / (x + t) };
        t
    },
    init(a = 1.0)
)]
struct Foo;

fn main() {}
