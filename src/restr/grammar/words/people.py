"""What people call people, and what they wear."""

from __future__ import annotations

from restr.grammar.words.choices import Choices
from restr.grammar.words.nouns import noun_table

# Of a person whose kind is not known: the mixture in which people are named in everyday photographs.
ANY_PERSON_NOUNS = noun_table("""
person: man:16 guy:18 person:14 woman:13 girl:9 lady:8 kid:5 boy:5 dude:3.5 child:2.5 player:1.2 someone:0.4
  figure:0.3 human:0.3 individual:0.3 adult:0.4 gentleman:0.7 chick:0.7 male:0.7 female:0.6 fella:0.3 fellow:0.3
  gal:0.3 gent:0.1 bro:0.1 one:2.5 peson:0.1
  | people:22 men:6 guys:6 women:5 girls:4 ladies:2 kids:4 boys:2 persons:2 dudes:1 children:2 ppl:0.8 folks:0.5
  players:1 humans:0.2 peeps:0.2
""")

# Of a person whose kind is known: its noun -> the words for the same kind of person.
PERSON_NOUNS = noun_table("""
man: man:14 guy:14 dude:3 gentleman:1 male:1 fella:0.4 fellow:0.4 gent:0.2 bro:0.1 person:3 | men:12 guys:10 dudes:2
  males:0.6 people:3
woman: woman:14 lady:9 girl:6 female:1 chick:0.8 gal:0.4 person:2.5 women:0.2 | women:12 ladies:7 girls:5 females:0.7
  people:3
guy: guy:14 man:12 dude:3 male:0.6 person:2
lady: lady:12 woman:10 girl:4 female:0.5 person:2
boy: boy:14 kid:5 child:2 little_boy:1.5 guy:1 young_boy:0.7 | boys:12 kids:5 children:2
girl: girl:14 kid:2 child:1 little_girl:1 young_girl:0.7 lady:1.5 woman:1.5 | girls:12 kids:2 ladies:1
kid: kid:12 child:6 boy:1 little_kid:1 youngster:0.3 | kids:12 children:6
child: child:10 kid:9 little_kid:1 little_one:0.3 | children:9 kids:9
baby: baby:14 infant:1 toddler:1 kid:1 child:1
player: player:12 athlete:0.7 person:1.5 guy:2 man:1
person: person:14 someone:0.5 individual:0.5 figure:0.4 human:0.3 one:1 | people:18 persons:1.5 ppl:0.5 folks:0.5
""")

_RIDERS = noun_table("""
skateboard: skater:6 skateboarder:5 skate_boarder:0.5
surfboard: surfer:10 surfer_dude:0.5 surfer_guy:0.4
snowboard: snowboarder:9 boarder:1
skis: skier:10
bicycle: cyclist:5 biker:5 bicyclist:2 bike_rider:2 rider:2
motorcycle: biker:6 motorcyclist:3 rider:5 motorcycle_rider:1 driver:0.7
horse: rider:8 horse_rider:1.5 horseman:0.7
elephant: rider:7 elephant_rider:0.7
""")
_HOLDERS = noun_table("""
tennis_racket: tennis_player:8 player:6
baseball_bat: batter:9 hitter:1 baseball_player:3 player:3
baseball_glove: baseball_player:3 player:4 fielder:1 ball_player:0.6
frisbee: frisbee_player:2 player:3
sports_ball: player:6
""")
# Nouns for who does something: relation -> category of the object -> "skater", which says both.
AGENT_NOUNS: dict[str, dict[str, Choices]] = {
    "riding": {category: singular for category, (singular, _) in _RIDERS.items()},
    "holding": {category: singular for category, (singular, _) in _HOLDERS.items()},
}

# Of what belongs to a person: clothes, bags, hair and skin.
GARMENT_NOUNS = noun_table("""
shirt: shirt:18 top:1.5 dress_shirt:0.3 button_down:0.2 jersey:0.6 tee:0.3 t-shirt:0.6
t-shirt: t-shirt:6 shirt:8 tshirt:3 tee:1.5 tee_shirt:1 t_shirt:0.6
top: top:11 shirt:6 blouse:0.4
blouse: blouse:8 top:4 shirt:5
sweater: sweater:14 jumper:0.6 pullover:0.6
sweatshirt: sweatshirt:10 sweat_shirt:1 hoodie:1 sweater:1.5
jumper: jumper:6 sweater:4 pullover:0.5
cardigan: cardigan:8 sweater:5
hoodie: hoodie:10 sweatshirt:2 hooded_sweatshirt:0.7
vest: vest:14 waistcoat:0.4
coat: coat:13 jacket:5 overcoat:0.5
jacket: jacket:14 coat:3
blazer: blazer:8 jacket:6 suit_jacket:1 coat:1
cape: cape:10 cloak:0.7 poncho:0.7 shawl:0.5
suit: suit:16
dress: dress:18 gown:0.4 sundress:0.1
romper: romper:6 jumpsuit:2 outfit:3 playsuit:0.3
bodysuit: bodysuit:6 body_suit:1 top:2
skirt: skirt:18
pants: pants:16 trousers:2 slacks:0.5
jeans: jeans:15 pants:3 denim:0.7 denims:0.1
shorts: shorts:18 short_pants:0.2
leggings: leggings:10 pants:2 tights:1
stockings: stockings:8 tights:4 hose:0.4 pantyhose:0.4 leggings:0.7 nylons:0.2
tights: tights:9 stockings:3 leggings:1
socks: socks:15 sock:1
shoes: shoes:17 shoe:1 footwear:0.4 feet:0.4
heels: heels:9 high_heels:4 shoes:4
pumps: pumps:6 heels:5 shoes:5 high_heels:1
boots: boots:15 shoes:1.5 boot:0.5
sandals: sandals:11 shoes:3 flip_flops:0.5
sneakers: sneakers:9 shoes:4 tennis_shoes:1.5 trainers:0.7 running_shoes:0.4
flats: flats:7 shoes:6 flat_shoes:0.7
loafers: loafers:7 shoes:6
wedges: wedges:6 shoes:5 wedge_heels:0.4 heels:2
clogs: clogs:7 shoes:5
hat: hat:15 cap:3
scarf: scarf:16 | scarves:10 scarfs:5
belt: belt:17
glasses: glasses:15 eyeglasses:0.7 specs:0.5 spectacles:0.4 eye_glasses:0.2
sunglasses: sunglasses:10 glasses:4 shades:2.5 sun_glasses:1
gloves: gloves:14 glove:1 mittens:0.3
necklace: necklace:15 chain:0.5
bracelet: bracelet:14 bangle:0.6 wristband:0.3
watch: watch:15 wristwatch:0.7 wrist_watch:0.2
ring: ring:16
earrings: earrings:14 earring:2 ear_rings:0.5
accessories: accessories:5 jewelry:4 accessory:2
bra: bra:14
swimwear: swimsuit:7 bathing_suit:5 bikini:2 swimwear:1
intimate: underwear:8 lingerie:2
panties: panties:6 underwear:5
bag: bag:17 purse:2 handbag:1
purse: purse:11 bag:6 handbag:3 clutch:0.7
wallet: wallet:10 purse:3 clutch:3
hair: hair:19 hairdo:0.3
skin: skin:10
""")
