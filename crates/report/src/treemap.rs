//! Rectangles in proportion: squarified treemaps in whole units, so that they cover exactly and are the same everywhere.
//! (Bruls, Huizing, van Wijk: Squarified Treemaps.)

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Its left edge.
    pub x: u32,
    /// Its upper edge.
    pub y: u32,
    /// Its width.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

impl Rect {
    /// The same without a frame.
    #[must_use]
    pub fn inside(self, frame: u32, head: u32) -> Rect {
        Rect {
            x: self.x + frame.min(self.width),
            y: self.y + head.min(self.height),
            width: self.width.saturating_sub(2 * frame),
            height: self.height.saturating_sub(head + frame),
        }
    }

    fn shorter(self) -> u32 {
        self.width.min(self.height)
    }

    /// Cuts a strip off, along the shorter side.
    fn cut(self, thickness: u32) -> (Rect, Rect) {
        let (mut strip, mut rest) = (self, self);
        if self.width >= self.height {
            strip.width = thickness;
            rest.x += thickness;
            rest.width -= thickness;
        } else {
            strip.height = thickness;
            rest.y += thickness;
            rest.height -= thickness;
        }
        (strip, rest)
    }
}

/// Divides a rectangle among weights, the largest first. The parts cover all of it, and no two of them the same place; one
/// whose weight is too small for a unit is empty.
#[must_use]
pub fn squarify(rect: Rect, weights: &[u64]) -> Vec<Rect> {
    let weights = scaled(weights);
    let mut total: u128 = weights.iter().sum();
    let mut rest = rect;
    let mut rects = Vec::with_capacity(weights.len());
    let mut first = 0;
    while first < weights.len() {
        let longer = u128::from(rest.width.max(rest.height));
        let shorter = u128::from(rest.shorter());
        if total == 0 || shorter == 0 {
            rects.extend(weights[first..].iter().map(|_| Rect { width: 0, ..rest }));
            break;
        }
        let (mut end, mut sum, mut worst) = (first, 0, u128::MAX);
        while end < weights.len() {
            let with = sum + weights[end];
            let next = elongation(&weights[first..=end], with, (longer, shorter), total);
            if end > first && next > worst {
                break;
            }
            (sum, worst, end) = (with, next, end + 1);
        }
        let is_last = end == weights.len() || sum == total;
        let thickness = if is_last { longer } else { sum * longer / total };
        let (strip, other) = rest.cut(u32::try_from(thickness).unwrap_or(u32::MAX));
        row(
            strip,
            &weights[first..end],
            sum,
            rest.width >= rest.height,
            &mut rects,
        );
        (rest, total, first) = (other, total - sum, end);
    }
    rects
}

/// Weights that can be multiplied, of the same proportions.
fn scaled(weights: &[u64]) -> Vec<u128> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let shift = (128 - total.leading_zeros()).saturating_sub(40);
    weights
        .iter()
        .map(|weight| u128::from(*weight) >> shift)
        .collect()
}

/// How long the longest rectangle of a row is for its width, in thousandths.
fn elongation(row: &[u128], sum: u128, (longer, shorter): (u128, u128), total: u128) -> u128 {
    let of = |weight: u128| {
        // Its thickness is longer · sum / total, its length shorter · weight / sum.
        let (thick, long) = (longer * sum * sum, shorter * weight * total);
        let (most, least) = (thick.max(long), thick.min(long));
        most.saturating_mul(1000).checked_div(least).unwrap_or(u128::MAX)
    };
    let [first, .., last] = row else {
        return row.first().map_or(u128::MAX, |only| of(*only));
    };
    of(*first).max(of(*last))
}

fn row(strip: Rect, weights: &[u128], sum: u128, is_column: bool, rects: &mut Vec<Rect>) {
    let side = u128::from(if is_column { strip.height } else { strip.width });
    let (mut before, mut at) = (0, 0);
    for (index, weight) in weights.iter().enumerate() {
        before += weight;
        let is_last = index + 1 == weights.len();
        let end = if is_last || sum == 0 {
            side
        } else {
            side * before / sum
        };
        let (start, len) = (
            u32::try_from(at).unwrap_or(0),
            u32::try_from(end - at).unwrap_or(0),
        );
        rects.push(if is_column {
            Rect {
                y: strip.y + start,
                height: len,
                ..strip
            }
        } else {
            Rect {
                x: strip.x + start,
                width: len,
                ..strip
            }
        });
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn layouts_cover_exactly(
            width in 1_u32..60,
            height in 1_u32..60,
            mut weights in proptest::collection::vec(prop_oneof![0_u64..9, 0_u64..1000, any::<u64>()], 1..30),
        ) {
            weights.sort_unstable_by(|a, b| b.cmp(a));
            let rect = Rect { x: 3, y: 5, width, height };
            let rects = squarify(rect, &weights);
            prop_assert_eq!(rects.len(), weights.len());
            let mut covered = vec![0_u8; (width * height) as usize];
            for part in &rects {
                for y in part.y..part.y + part.height {
                    for x in part.x..part.x + part.width {
                        prop_assert!((3..3 + width).contains(&x) && (5..5 + height).contains(&y));
                        covered[((y - 5) * width + x - 3) as usize] += 1;
                    }
                }
            }
            let wanted = u8::from(weights[0] > 0);
            prop_assert!(covered.iter().all(|count| *count == wanted));
        }
    }

    #[test]
    fn areas_are_in_proportion_and_rectangles_nearly_squares() {
        let rect = Rect {
            width: 6000,
            height: 4000,
            ..Rect::default()
        };
        let rects = squarify(rect, &[6, 6, 4, 3, 2, 2, 1]);
        for (rect, weight) in rects.iter().zip([6_u64, 6, 4, 3, 2, 2, 1]) {
            let (width, height) = (u64::from(rect.width), u64::from(rect.height));
            let area = 24_000_000 * weight / 24;
            assert!((width * height).abs_diff(area) < 10_000, "{rect:?}");
            assert!(width.max(height) < 3 * width.min(height), "{rect:?}");
        }
    }
}
