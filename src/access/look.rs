//! What letters look like: which script they are of, and which Latin one they are taken for.
//!
//! Not the whole of Unicode's list of look-alikes (UTS #39), which has thousands: the letters of the scripts that people
//! here are named in. What is drawn like Latin letters and belongs to no such script is no part of a name at all.

/// Whose letters are told apart from those of the others when they stand in one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    /// Chinese, Japanese and Korean, which are written together.
    EastAsian,
    /// None of them looks like a Latin letter.
    Other,
}

/// Whether all letters are of one script; marks, digits and blanks are of all.
pub(super) fn is_of_one_script(name: &str) -> bool {
    let mut scripts = name.chars().filter(|char| char.is_alphabetic()).map(script_of);
    let first = scripts.next();
    scripts.all(|script| Some(script) == first)
}

fn script_of(letter: char) -> Script {
    match letter {
        'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' => {
            Script::Latin
        }
        '\u{a720}'..='\u{a7ff}' => Script::Latin,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{a640}'..='\u{a69f}' => Script::Cyrillic,
        '\u{530}'..='\u{58f}' => Script::Armenian,
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{9fff}' | '\u{a960}'..='\u{a97f}' => Script::EastAsian,
        '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Script::EastAsian,
        _ => Script::Other,
    }
}

/// What cannot be seen, and what makes a name that looks like another one: blanks that are none of the keyboard's,
/// accents that are put on a letter (`e\u{301}`, which looks like `\u{e9}`), and letters in another dress: of full width,
/// raised, in circles, bold, joined, of phonetics; and the scripts that borrow the shapes of Latin capitals.
pub(super) fn is_not_to_be_told(char: char) -> bool {
    (char.is_whitespace() && char != ' ')
        || is_invisible(char)
        || is_put_on_a_letter(char)
        || is_in_another_dress(char)
}

fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_put_on_a_letter(char: char) -> bool {
    matches!(char,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

fn is_in_another_dress(char: char) -> bool {
    matches!(char,
        '\u{aa}' | '\u{b5}' | '\u{ba}' | '\u{250}'..='\u{2ff}' | '\u{1d00}'..='\u{1dbf}' | '\u{2070}'..='\u{209f}'
        | '\u{2100}'..='\u{218f}' | '\u{2460}'..='\u{24ff}' | '\u{fb00}'..='\u{fb4f}' | '\u{fb50}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefc}' | '\u{ff01}'..='\u{ff9f}' | '\u{1d400}'..='\u{1d7ff}' | '\u{1f100}'..='\u{1f1ff}'
        | '\u{13a0}'..='\u{13ff}' | '\u{ab30}'..='\u{abbf}' | '\u{2c80}'..='\u{2cff}' | '\u{a4d0}'..='\u{a4ff}')
}

/// The Latin letter that this one is taken for, or itself.
pub(super) fn latin_look(letter: char) -> char {
    LOOKS.iter().find(|(letters, _)| letters.contains(letter)).map_or(letter, |(_, latin)| *latin)
}

/// Greek, Cyrillic and Armenian letters, capital ones with capital ones: `\u{412}` is taken for B, and its small form for nothing.
const LOOKS: [(&str, char); 49] = [
    ("\u{391}\u{410}", 'A'),
    ("\u{392}\u{412}", 'B'),
    ("\u{421}\u{3f9}", 'C'),
    ("\u{395}\u{415}", 'E'),
    ("\u{50c}", 'G'),
    ("\u{397}\u{41d}", 'H'),
    ("\u{399}\u{406}\u{4c0}", 'I'),
    ("\u{37f}\u{408}", 'J'),
    ("\u{39a}\u{41a}", 'K'),
    ("\u{53c}", 'L'),
    ("\u{39c}\u{41c}", 'M'),
    ("\u{39d}", 'N'),
    ("\u{39f}\u{41e}\u{555}", 'O'),
    ("\u{3a1}\u{420}", 'P'),
    ("\u{51a}", 'Q'),
    ("\u{405}\u{54f}", 'S'),
    ("\u{3a4}\u{422}", 'T'),
    ("\u{54d}", 'U'),
    ("\u{474}", 'V'),
    ("\u{51c}", 'W'),
    ("\u{3a7}\u{425}", 'X'),
    ("\u{3a5}\u{423}\u{4ae}", 'Y'),
    ("\u{396}", 'Z'),
    ("\u{3b1}\u{430}", 'a'),
    ("\u{44c}", 'b'),
    ("\u{441}\u{3f2}", 'c'),
    ("\u{501}", 'd'),
    ("\u{435}", 'e'),
    ("\u{581}", 'g'),
    ("\u{4bb}\u{570}", 'h'),
    ("\u{3b9}\u{456}", 'i'),
    ("\u{3f3}\u{458}\u{575}", 'j'),
    ("\u{3ba}\u{43a}", 'k'),
    ("\u{4cf}", 'l'),
    ("\u{578}", 'n'),
    ("\u{3bf}\u{43e}\u{585}", 'o'),
    ("\u{3c1}\u{440}", 'p'),
    ("\u{51b}", 'q'),
    ("\u{455}", 's'),
    ("\u{3c5}\u{57d}", 'u'),
    ("\u{3bd}\u{475}", 'v'),
    ("\u{51d}", 'w'),
    ("\u{3c7}\u{445}", 'x'),
    ("\u{3b3}\u{443}\u{4af}", 'y'),
    ("\u{451}", '\u{eb}'),
    ("\u{457}\u{3ca}", '\u{ef}'),
    ("\u{3ac}", '\u{e1}'),
    ("\u{3af}", '\u{ed}'),
    ("\u{3cc}", '\u{f3}'),
];
