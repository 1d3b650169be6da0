//! The people of the city: who they are follows from their number alone.

use crate::calendar::month_and_day;
use crate::city::{City, DISTRICTS, Scale, district_weights};
use crate::distribution::Weighted;
use crate::identity_number::IdNumber;
use crate::random::{Draw, Permutation, Stream};

/// The age bands, by age at the end of 2025: a domain of 7.
pub const AGE_BANDS: [&str; 7] = ["12-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"];

/// First and last year of birth of each band.
const BIRTH_YEARS: [(u32, u32); 7] = [
    (2008, 2013),
    (2001, 2007),
    (1991, 2000),
    (1981, 1990),
    (1971, 1980),
    (1961, 1970),
    (1935, 1960),
];

/// How many people are in each band, relative to the others.
const BAND_WEIGHTS: [f64; 7] = [5.0, 17.0, 31.0, 21.0, 13.0, 8.0, 5.0];

/// The sexes as ID numbers know them: a domain of 2.
pub const SEXES: [&str; 2] = ["男", "女"];

/// Regions where people were first registered: the city's 16 districts and 16 of its neighbours.
const REGIONS: u64 = 32;

/// Sequence numbers per region, birthday and sex: 996 to 999 were kept for centenarians.
const SEQUENCES: u64 = 498;

/// Persons that ID numbers can tell apart whatever their sex and year of birth.
const CAPACITY: u64 = REGIONS * 365 * SEQUENCES;

/// The scale's upper end stays within what ID numbers can tell apart.
const _: () = assert!((Scale::MOST * 120_000.0) < CAPACITY as f64);

/// A person.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The ID number, valid and unique.
    pub id_number: IdNumber,
    /// Year, month and day of birth.
    pub birth: (u32, u32, u32),
    /// Index into [`AGE_BANDS`].
    pub age_band: usize,
    /// Index into [`SEXES`].
    pub sex: usize,
    /// The district of residence, an index into [`DISTRICTS`].
    pub residence: usize,
    /// The district of work or school, an index into [`DISTRICTS`].
    pub workplace: usize,
}

impl Person {
    /// Age in whole years on a day of 2025 (month and day from 1).
    pub fn age_on(&self, month: u32, day: u32) -> u32 {
        let (year, birth_month, birth_day) = self.birth;
        2025 - year - u32::from((month, day) < (birth_month, birth_day))
    }
}

/// All people of a city.
#[derive(Debug, Clone)]
pub struct People {
    seed: u64,
    count: u64,
    numbers: Permutation,
    bands: Weighted,
    districts: Weighted,
}

impl People {
    /// The people of a city.
    pub fn new(city: &City) -> Self {
        Self {
            seed: city.seed,
            count: city.scale.persons(),
            numbers: Permutation::new(city.seed, Stream::PersonNumber, 0, CAPACITY),
            bands: Weighted::new(&BAND_WEIGHTS),
            districts: Weighted::new(&district_weights()),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Person `number` (below [`Self::count`]).
    pub fn get(&self, number: u64) -> Person {
        let mut draw = Draw::new(self.seed, Stream::Person, number);
        let age_band = self.bands.sample(&mut draw);
        let (first, last) = BIRTH_YEARS[age_band];
        let year = first + draw.below(u64::from(last - first + 1)) as u32;
        let sex = draw.below(100) as usize / 52;
        let residence = self.districts.sample(&mut draw);
        let workplace = if draw.below(10) < 4 {
            residence
        } else {
            self.districts.sample(&mut draw)
        };
        // Region, birthday and sequence are the digits of a permuted number: distinct for distinct people.
        let unique = self.numbers.apply(number);
        let (region, rest) = (unique % REGIONS, unique / REGIONS);
        let (month, day) = month_and_day((rest % 365) as u32);
        let sequence = 2 * (rest / 365) as u32 + u32::from(sex == 0);
        let birth = (year, month, day);
        Person {
            id_number: IdNumber::new(region_code(region), birth, sequence),
            birth,
            age_band,
            sex,
            residence,
            workplace,
        }
    }
}

/// The code of a region of first registration: 990102 … 990117, and 990201 … 990216 for the neighbouring city.
fn region_code(region: u64) -> u32 {
    let districts = DISTRICTS.len() as u64;
    (if region < districts {
        990_102 + region
    } else {
        990_201 + region - districts
    }) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::identity_number::tests::is_id_number;

    #[test]
    fn id_numbers_are_valid_unique_and_say_what_the_person_is() {
        let people = People::new(&City::new(11, Scale::DEMO));
        let mut seen = HashSet::new();
        for number in 0..30_000 {
            let person = people.get(number);
            let id = person.id_number.as_str();
            assert!(is_id_number(id), "{id}");
            assert!(seen.insert(person.id_number), "{id} twice");
            assert_eq!(id.as_bytes()[16] % 2 == 1, SEXES[person.sex] == "男");
            assert_eq!(id[6..10], person.birth.0.to_string());
            assert!(id.starts_with("9901") || id.starts_with("9902"));
            let age = person.age_on(12, 31);
            let (low, high) = AGE_BANDS[person.age_band]
                .split_once('-')
                .unwrap_or(("65", "120"));
            assert!(
                (low..=high).contains(&age.to_string().as_str()) || age >= 65,
                "{age} in {low}-{high}"
            );
        }
        let men = (0..10_000).filter(|n| people.get(*n).sex == 0).count();
        assert!((5_000..5_400).contains(&men), "{men}");
    }

    #[test]
    fn ages_turn_on_the_birthday() {
        let person = Person {
            birth: (2000, 6, 15),
            ..People::new(&City::new(1, Scale::TEST)).get(0)
        };
        assert_eq!([person.age_on(6, 14), person.age_on(6, 15)], [24, 25]);
    }
}
