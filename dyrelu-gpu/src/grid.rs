//! [`Grid`]: how rows are shared out among the units of a device.

use crate::operands::Rows;
use cubecl::prelude::*;
use cubecl::server::CubeCountSelection;

/// As many units work together; every device has these.
pub(crate) const UNITS: u32 = 256;

/// The numbers that a unit reads at once: 16 bytes of `f32`, 8 of `f16`.
pub(crate) const VECTOR: usize = 4;

/// Rows of vectors on cubes of units.
///
/// A cube is a part of a row, a *tile*, for each of its `height` rows: several where rows are short. A unit computes every
/// `width`-th vector of its tile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// The numbers of a vector.
    pub(crate) vector: usize,
    pub(crate) rows: usize,
    /// The vectors of a row.
    pub(crate) vectors: usize,
    /// The units of a cube.
    pub(crate) units: u32,
    /// The units that share a row's tile.
    pub(crate) width: u32,
    /// How many vectors a unit computes.
    pub(crate) steps: usize,
}

impl Grid {
    /// For vectors of up to `limit` numbers, up to `width` units for a row, and up to `steps` vectors for a unit.
    pub(crate) fn new(client: &Client, rows: Rows<'_>, limit: usize, width: u32, steps: usize) -> Self {
        let Rows {
            count, len, number, ..
        } = rows;
        let vector = client
            .io_optimized_vector_sizes(number.size())
            .filter(|vector| *vector <= limit && len.is_multiple_of(*vector))
            .max()
            .unwrap_or(1);
        let vectors = len / vector;
        let width = u32::try_from(vectors)
            .unwrap_or(width)
            .min(width)
            .next_power_of_two();
        // As few tiles as these steps allow, and all of them full.
        let rounds = vectors.div_ceil(width as usize).max(1);
        let steps = rounds.div_ceil(rounds.div_ceil(steps));
        Self {
            vector,
            rows: count,
            vectors,
            units: UNITS,
            width,
            steps,
        }
    }

    /// The tiles of a row.
    pub(crate) fn tiles(&self) -> usize {
        self.vectors.div_ceil(self.steps * self.width as usize)
    }

    /// The same for a kernel: none for [`place`] if a row is one tile.
    pub(crate) fn tiles_of_kernel(&self) -> ComptimeOptionArgs<usize> {
        let tiles = self.tiles();
        (tiles > 1).then_some(tiles).into()
    }

    /// The rows that a cube has at once.
    pub(crate) fn height(&self) -> usize {
        (self.units / self.width) as usize
    }

    pub(crate) fn cube_dim(&self) -> CubeDim {
        CubeDim::new_2d(self.width, self.units / self.width)
    }

    /// Cubes for all tiles. There may be more, as no axis of a device's grid can have any length.
    pub(crate) fn cube_count(&self, client: &Client) -> CubeCount {
        cubes(client, self.rows.div_ceil(self.height()) * self.tiles())
    }
}

/// Where a unit is.
#[derive(CubeType)]
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) tile: usize,
    /// The tiles of a row.
    pub(crate) tiles: usize,
    /// The first vector that the unit computes.
    pub(crate) first: usize,
}

/// The place of this unit. A division may take as long as some vectors, so there is none where rows are one tile.
#[cube]
pub(crate) fn place(tiles: ComptimeOption<usize>, #[comptime] steps: usize) -> Place {
    #[comptime]
    match tiles {
        ComptimeOption::Some(tiles) => {
            let cube = CUBE_POS / tiles;
            place_in_cube(cube, CUBE_POS - cube * tiles, tiles, steps)
        }
        ComptimeOption::None => place_in_cube(CUBE_POS, 0usize, 1usize, steps),
    }
}

#[cube]
fn place_in_cube(cube: usize, tile: usize, tiles: usize, #[comptime] steps: usize) -> Place {
    Place {
        row: cube * CUBE_DIM_Y as usize + UNIT_POS_Y as usize,
        tile,
        tiles,
        first: tile * steps * CUBE_DIM_X as usize + UNIT_POS_X as usize,
    }
}

/// At least so many cubes.
pub(crate) fn cubes(client: &Client, count: usize) -> CubeCount {
    let count = u32::try_from(count).expect("fewer cubes than elements");
    CubeCountSelection::new(client, count).cube_count()
}
