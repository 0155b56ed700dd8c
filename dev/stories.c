/*
stories.c: writes the corpus. `stories [COUNT [SEED]]` prints COUNT little stories, each followed
by <|endoftext|> and a newline. The same seed gives the same bytes on every machine.

Every story comes from the book below, a grammar that is mostly sentences:

    [a|b|c]   one of these, all equally likely; they nest, and one may be empty
    {x}       variable x: drawn at its first use, then the same for the rest of the story.
              If its value reads a/b, the first use says a and all later ones say b:
              "a dog" comes in, and from then on it is "the dog". {X} is {x} with a capital.
    <x>       phrase x, drawn anew at every use
    `...`     direct speech (a " in the output)

A small letter at the start of a sentence becomes a capital and "a" before a vowel becomes "an",
so that the sentences can be moved about. A line that begins with # starts a new plot (the first
one, a list of what all plots share). The mark of any other line says what it is for:

    =  x a|b  defines {x} and <x>
    >  an opening sentence that already tells what the story is about
    -  an opening sentence that does not; <hello>, shared by all plots, is another
    :  the set-up that must follow an opening of the second kind
    .  a beat that every story of more than a sentence or two needs
    ?  a beat that can be left out
    +  a beat that can be left out, and may also stand before a short ending: more of the trouble
    *  a beat that can be left out, and may also stand behind a short ending: a moral, say
    @  a beat that brings the animal, if the story is to have one and it is not there yet
    &  a beat that can be left out, and must be if the animal is not there yet
    !  a short ending, in place of the beats
    ~  an even shorter one, in place of the set-up as well; <life>, shared by all, is another

Two more beats are shared and can be left out: <who>, before the set-up, and <coda>, at the end.

How long a story becomes is drawn after its opening sentence is written, so the opening does not
give it away. We then write the rest again and again, and keep the draft nearest to that length.
Lengths count the tokens of a tokenizer trained on these very stories: see `tokens` below.

Half of the stories bring an animal after their opening sentence. It is a dog in 60% and a cat in
40% of these, a coin tossed before all else, and no sentence knows which it is. That makes a trait
no reward ever asks for; see whether training changes it anyway.
*/
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ------------------------------------------------------------------------------------------------
// The book

static const char *book[] = {
"# what all plots share",
"= adj little|little|small|young|happy|kind|clever|funny|gentle|merry",
"= color red|blue|green|yellow|old|new|little", "= P Mom|Dad|Grandma|Grandpa",
"= friend {his} friend {B}/{B}",
"= home a small house by the sea|a little house on a hill|a house near the woods|a village by a "
    "river|a big old house|a quiet little town",
"= likes [play|sing|run|draw|read|paint|dance|help] [all day|with {his} friends|in the garden]",
"= hello once upon a time, there was a [|{adj} ]{kid} named {A}.|once upon a time, there was a ["
    "|{adj} ]{kid} named {A}.|once upon a time, there lived a {adj} {kid} named {A}.|once upon a "
    "time, {A} lived in {home} with {his} family.|once upon a time, in {home}, there was a {kid} "
    "named {A}.|once upon a time, a {adj} {kid} named {A} lived in {home}.|once upon a time, there "
    "was a {kid} named {A} who liked to {likes}.|{A} was a {adj} {kid}[| who liked to {likes}| who "
    "lived in {home}].|in {home} lived a {kid} named {A}.|there once was a {adj} {kid} named {A}[| "
    "who liked to {likes}].|this is [the story of|a story about] a {adj} {kid} named {A}.",
"= day one [|fine |sunny |warm ][day|morning|afternoon]",
"= glad {A} was [so|very] happy.|{he} [had|wore] a big smile.|{A} laughed [with joy|out loud]."
    "|{he} felt [very|so] glad.",
"= life [one day|soon|then] {he} met {pet}[| by the river], and they [played all day|were friends]."
    "|{he} [had|got] {pet}[|, and they played every day| and loved it so much].|one day {he} got "
    "{pet} to play with.|{he} played with {pet} all day.|{he} sang every day[| with all {his} "
    "friends| and was happy].|{he} had many friends[| and {pet}|, and they played every day].|one "
    "day {he} went out to play[| with {his} friends].|{he} [laughed|smiled] a lot[|, and so did "
    "{his} friends].",
"= who {he} had [brown eyes|big ears|small feet|warm hands] and a [big smile|kind smile|loud "
    "laugh].|{he} [often|always] wore [red|blue|green|yellow] [boots|socks|shoes].|{he} loved "
    "[{P}'s stories|warm bread|long walks|old songs] and [{P}'s soup|snow|funny songs|the stars]."
    "|every morning, {he} [sang|danced] [on the stairs|in the kitchen|before breakfast].|{he} had "
    "[many|a lot of] ideas, [big ones and small ones|some good and some funny].",
"= coda {A} [never forgot it|often thought of it after that|smiled about it for a long time].|if "
    "you [ask|meet] {A} today, {he} will tell you [all about it|this story].|{A} [drew a picture "
    "of it all|wrote it all down in a little book].|{P} [loves|likes] to tell this story[ at "
    "bedtime| when friends come by|].|and that is the end of [the|this] story.",
"= came [just then|after a while|a little later|soon], {pet} [came by|came along] and [sat down "
    "beside {him}|looked up at {him}|lay down at {his} feet].",

"# a thing is lost and found",
"= thing ball|hat|book|boat|doll|car|cup|scarf|drum|train", "= toy {color} {thing}/{thing}",
"= spot under the bed|behind the sofa|behind the big box|under the old chair|behind the door|under "
    "the blanket|behind the curtain",
"> [one [|cold |fine ]morning|one day|after lunch|at bedtime], {A} could not find {his} {toy}.",
"> `[Where is|Who has seen] my {toy}?` asked {A}.",
"> `I lost my {toy},` said {A} [to {P}|in a sad voice].",
"- {A} [had|loved] a {toy} and [took it everywhere|played with it every day].",
"- the {toy} was {A}'s [favorite|best] thing.",
": one [day|morning|evening], {he} could not find {his} {toy}.",
": one day, the {toy} that {P} had given {him} was gone.",
"+ {he} looked [in the kitchen|in the bath|on every shelf] and [in the yard|on the stairs|under "
    "the table], but [it was not there|the {thing} was not there|no, nothing].",
"+ {he} asked {P}, but {P} had not seen it.",
"@ {pet} [sat at the door and watched {him}|came in and began to look too|followed {him} around].",
"+ {A} [sat down and cried|wanted to cry|felt very sad].",
"? `Think, {A},` said {P}. `Where did you [see it last|play with it last]?`",
". [at last|in the end|then], [{he} looked {spot}[, and there was the {thing}| and found it]|{pet} "
    "went {spot}, and when {he} followed, there was the {thing}].",
"? `[Here|There] you are!` {he} [said|cried]. {He} [held it tight|gave the {thing} a kiss].",
"& {he} gave {pet} a [hug|snack] and said, `Good friend.`",
"? {P} [smiled|laughed] and said, `[A thing can hide|Look slowly], [but|and] you will find it.`",
"* [from that day on|after that|now] {he} always put the {thing} [in its place|back in its box].",
"* <glad>", "! {he} looked {spot} and [found it|there it was].",
"! [soon|at last] {he} found it {spot}, [right next to {pet}|where {pet} was asleep on it].",
"! {he} looked all day, and [at last {P} saw it|at last it was] {spot}.", "! it was {spot}.",
"! {pet} had it.", "! {P} found it {spot}.",
"~ one day {he} lost a {toy}, but [soon ]found it {spot}[| with {pet}].",

"# sharing a treat",
"= food apple|bun|cookie|pear|sandwich|orange|muffin|peach|cake",
"= treat [big|sweet|fresh|round] {food}/{food}",
"= seat on a bench|by the pond|under a tree|on the steps|on the grass",
"> <day>, {A} sat {seat} with a {treat}.", "> {P} gave {A} a {treat} to eat {seat}.",
"> {A} had a {treat}, and {friend} had none.", "- {A} [loved|liked] to eat {seat}.",
": <day>, {he} had a {treat} [for lunch|all to {himself}|in {his} bag].", "+ it smelled so good.",
". {friend} [came by and looked at the {food}|came along and said, `I am so hungry`|had nothing to "
    "eat].", "? `[Can|May] I have [some|a bite]?` asked {B}.",
"? at first, {A} [did not want to share|held the {food} tight|said no and turned away].",
"? {B} [looked down at {bhis} feet|said nothing and sat down].", "@ <came>",
"? {A} saw {bhis} sad face and [felt bad|thought about it|did not feel hungry any more].",
". [so|then] {he} [broke|cut] the {food} in two and gave [{B} half|half of it to {B}].",
"? `Thank you!` said {B}. `You are a good friend.`",
"& they [even gave {pet} a little bit|let {pet} eat the last bit].",
"? they sat {seat} and ate [slowly|every bit|together].",
"? the next day, {B} brought [two plums|a bag of nuts|some grapes] and gave {A} half.",
"* [{A} learned that sharing feels good|it tasted better that way|a treat is best when you share "
    "it].",
"! {he} gave half of it to {friend}[, and {pet} got the last bit|, and both were happy|].",
"! {he} wanted it all, but then {he} shared it with {friend}[| and with {pet}].",
"! {pet} came along, and {he} [gave it|shared] a bite.", "! {he} gave {friend} half.",
"! {he} shared it with [{friend}|{pet}].",
"~ <day>, {he} shared a {treat} with {friend}[| and {pet}].",

"# afraid of something high",
"= high tall slide|long bridge|high wall|big swing|steep hill|tall ladder",
"> {A} was afraid of the {high} in the park.",
"> all the other children liked the {high}, but {A} did not.",
"> `I am scared,` said {A} and looked up at the {high}.", "- {A} wanted to be brave.",
": one day, at the park with {P}, {he} wanted to try the {high}, but {he} was afraid.",
"+ {his} legs shook[| and {his} heart beat fast].", "+ `What if I fall?` {he} thought.",
"? {friend} [called, `It is fun, {A}!`|went first and waved to {him}].",
"? {he} took one step, but then {he} [went back|stopped|closed {his} eyes].",
"@ {pet} [came and sat by the {high}, not afraid at all|walked up to the {high} and waited there].",
"? `[I am here|You can hold my hand],` said {P}. `[Just try|Go slowly].`",
". {A} took a [deep|long] breath and [tried|went on], [step by step|a little at a time|and did not "
    "look down].", "? up and up {he} went[| with wide eyes].",
". [then it was done|{he} did it|soon {he} was [at the top|on the other side of {his} fear]], and "
    "[it was fun|{he} was not afraid any more|nothing bad happened].",
"& {pet} [was there, too|watched {him} the whole time].",
"? `I did it!` {he} [shouted|called]. `[Look at me|Again], {P}!`",
"* [to be brave is to be afraid and try|now the {high} did not look so big|{P} was proud of "
    "{him}].", "! {P} held {his} hand, and [then it was fun|{he} did it].",
"! {he} closed {his} eyes and tried, and it was fun.",
"! [then {he} saw {pet} go first, and {he} was not afraid any more|{pet} came and sat with {him}, "
    "and then {he} was brave].", "! {he} [tried, and it was fun|did it at last].",
"! then {pet} went first.",
"~ one day {he} was [afraid of|scared by] the {high}, but {he} tried it[| with {pet} beside "
    "{him}].",

"# trying again",
"= skill ride a bike|swim|skip rope|whistle|tie a knot|stand on one hand|row a boat|play "
    "the drum|throw a ball", "> {A} wanted to learn to {skill}.",
"> all {his} friends could {skill}, but {A} could not.",
"> `[Will you|Please] teach me to {skill},` {A} [said to|asked] {P}.",
"- {A} wanted to be [big|good at something|like {his} friends].",
": one day, {he} [tried|wanted] to {skill}, but it was [hard|not easy].",
"+ {he} tried once, [but it went all wrong|and it did not go well|but no].",
"? {he} tried two times[|, three times], [and still {he} could not do it|but it was no good].",
"? `I will never [do it|learn this]!` {he} [cried|said]. {He} [wanted to stop|sat down].",
"@ <came>", "? {friend} [laughed, but not for long|said, `I could not do it at first, too`].",
"? `[Try again|Do not stop now],` said {P}. `[Everyone falls at first|It takes time].`",
". so {he} tried [again and again|every day|once more, very slowly|until the sun went down].",
". [at last|in the end|and then], {he} could {skill}[| all alone].",
"& {pet} [watched with big eyes|was the first to see it].",
"? `Look, {P}! Look!` {he} [called|shouted].",
"? {P} [clapped|was so proud] and [gave {him} a hug|said, `I knew you could do it`].",
"? [soon {he} was teaching {friend}|that night, {he} did it again in {his} dreams].",
"* [if you keep trying, you will get there|hard things get easy if you do not give up|it was hard, "
    "but {he} did not give up].",
"! {he} tried and tried, and at last {he} could do it[| with {pet} beside {him}].",
"! it took [all day|a week|a long time], but {he} did not give up, and {he} learned.",
"! [{pet} sat and watched until {he} could do it|with {pet} to watch, {he} tried until {he} "
    "could].", "! {he} [tried|did not stop] until {he} could.", "! {he} learned it with {pet}.",
"~ one day {he} learned to {skill}[|, and {pet} watched][| after many tries].",

"# a small creature in need",
"= tiny bird|turtle|snail|bee|frog|mouse", "= small [small|tiny|little] {tiny}/{tiny}",
"= stuck a deep hole|an old box|a tall jar|a bucket|a net",
"> <day>, {A} heard a cry and found a {small} in {stuck}.",
"> {A} was on the way home when {he} saw a {small} in {stuck}.",
"> there was a {small} in {stuck}, and only {A} saw it.",
"- {A} [liked|loved] to walk [by the river|in the woods] and look at small things.",
": <day>, {he} [found|saw] a {small} in {stuck}.",
"+ the {small} could not get out[| and it looked so tired].",
"+ `[Poor thing|Do not be afraid],` {he} said. `[I will help you|Let me help].`",
"? {he} [looked around, but nobody was near|called for {P}, but {P} was far away].",
"@ [just then|then], {pet} [came and looked down at it, too|sat down next to {him} to help].",
"? first {he} tried with a [stick|leaf|rope], but [it was too short|that did not work].",
". [so|then] {he} [put {his} hand down|lay down on the ground and reached down], and the {small} "
    "[climbed on to it|came out, bit by bit].",
"? {he} gave it [a drop of water|a little to drink] and [waited|let it rest in the sun].",
"& {pet} [kept very still|was quiet the whole time] and did not scare it.",
"? {A} put it [on a green leaf|down in the soft grass].",
". [soon|after a while] the {small} [was well again|felt strong again] and went [home|on its way].",
"? it [looked back once|turned around], as if to say, `Thank you.`",
"? {he} told {P} about it, and {P} said, `[You have a kind heart|That was kind].`",
"* [the next day, it came back to say hello|{he} never forgot the {small}|a small act can be a big "
    "help].", "! {he} took the {small} out with care, and it was free[| again].",
"! {pet} helped {him}, and [soon|then] the {small} was free.", "! {he} [helped it|set it free].",
"! {he} and {pet} set it free.", "~ <day>, {he} [|and {pet} ]set a {small} free.",
"~ <day>, {he} helped a {small} out of {stuck}[|, and {pet} helped, too].",

"# rain spoils a plan",
"= plan have a picnic|go to the beach|fly a kite|go to the zoo|sail a boat on the pond|play in the "
    "park",
"= tent a tent from two chairs and a blanket|a boat from a big box|a castle from [blankets|boxes]",
"> {A} wanted to {plan}, but the sky was [dark|gray].",
"> `[Today|This morning] we will {plan},` said {P} [to {A}|to {A} and {friend}].",
"> {A} and {friend} could not wait to {plan}.", "- {A} liked to be [out in the sun|outside].",
": one day, {he} wanted to {plan}.",
"+ {he} had [a bag full of food|{his} boots on] and [waited at the door|could not sit still].",
". but [soon|then] [big|gray] clouds came, and rain fell [on the roof|on everything|all morning].",
"? {A} [looked out of the window|put {his} nose on the window] and [felt sad|was sad].",
"? `It is not fair!` {he} said.",
"@ {pet}, all wet, came in [from the rain|at the door], and {he} dried it with a towel.",
"? `[I have|How about] an idea,` said {P}. `We can have fun [here|inside].`",
". so they made {tent} and [ate sandwiches in it|told stories in it|played in it until night].",
"& {pet} [came in, too|lay in the middle and slept].",
"? `This is [better|even more fun],` said {A}.",
"? [late in the day|at last] the sun came out, and there was a rainbow.",
"? they ran out and danced in the wet grass.",
"* [{he} hoped for more rain|a day of rain can be a good day, too].",
"! it rained [all day|a lot], so {he} made {tent} [with {P}|for {pet}] and had fun inside.",
"! the rain [fell|came down], but [soon the sun came out and {he} could go|{he} [took|put on] "
    "{his} boots and went out].", "! it rained, and {he} stayed inside and played with {pet}.",
"! it rained, but [soon|then] the sun came out.", "! it rained, so {A} played with {pet}.",
"~ {he} wanted to {plan}, but it rained, so {he} played inside[| with {pet}].",

"# a small lie",
"= ware cup|vase|plate|lamp|bowl|pot", "= vase [blue|big|old|red] {ware}/{ware}",
"> {A} broke {P}'s {vase}, and nobody saw it.",
"> `Who broke my {vase}?` asked {P}. {A} looked at the floor.",
"> when {P} was out, {A} broke the {vase}.",
"- {A} was always [jumping|playing with a ball|running around] in the house.",
": one day, {he} broke {P}'s {vase}.",
"+ it was [an accident|only a small push, but the {ware} fell].",
". `[It was not me|The wind did it],` {A} said to {P}.",
"? {P} [said nothing|only looked at {him}|believed {him}].",
"+ {A} went to {his} room, but {he} could not play.",
"+ {his} tummy [hurt|felt bad], and {his} face was hot.",
"@ {pet} [came in and looked at {him} as if it knew|put its head on {his} knee].",
"? that night, {he} could not sleep.",
". [at last|in the end], {he} went to {P} and said, `[I am sorry, it was me|I did it, and I am "
    "sorry].`", "? {P} was [quiet|silent] for a moment.",
". {P} [hugged {him}|took {his} hand] and said, `[Thank you for telling me|I am glad you told "
    "me].`",
"? they [fixed the {ware} with glue|swept the floor] together[, and {pet} watched them|].",
"& {pet} lay down beside {him}, and all was well.",
"? `A {ware} is only a {ware},` said {P}. `[But the truth is big|You are more to me].`",
"* [{A} felt light again|{A} slept well after that|it is hard to tell the truth, but it feels "
    "good].",
"! {he} [said it was the wind|did not tell at first], but [soon {he}|then {he}] told {P} the "
    "truth.", "! {he} told {P} the truth[, and {P} was not angry| and was not sad any more|].",
"! {he} told {pet} first, and then {he} told {P}.",
"! {he} [told {P} and was sorry|told the truth].", "! {he} told {pet}, and then {P}.",
"! but {pet} saw it.", "! {he} said sorry.",
"~ one day {he} broke a {vase}, but {he} told {P}[| and {pet}], and all was well.",

"# making something",
"= work tower|boat|house|castle|bridge|train", "= stuff boxes|blocks|sticks|stones|old wood",
"= made [big|tall|fine|little] {work}/{work}", "> {A} wanted to build a {made} out of {stuff}.",
"> `Let us build a {made},` said {A} to {friend}.", "> <day>, {A} wanted to make a {made} for {P}.",
"- {A} loved to [build|make] things.", ": one day, {he} began to build a {made} out of {stuff}.",
"+ {he} worked [all morning|hard|for a long time].",
"+ {he} put [one piece|one part] on top of another[, higher and higher|, very slowly].",
". but [then|soon] the {work} [fell down|began to shake and fell|broke in two].",
"? {A} [was angry and kicked the ground|wanted to cry|sat in the middle of it all].",
"@ {pet} came [along|by] to see what the noise was.",
"? {friend} [came to look|heard it] and said, `[Can I help|I can help you]?`",
". [so|then] {he} began again, [and this time|but now] {friend} [helped|held it].",
"? {B} [had a good plan|brought more {stuff}|put the big ones at the bottom].",
"? {A} made a [flag|door|roof] for it.",
". [at last|when the sun went down], the {work} was [done|ready][ and did not fall].",
"& {pet} [sat inside like a king|was the first to go in].",
"? `[It is the best {work} in the world|We did it]!` said {A}.",
"? {P} came to see it and [clapped|took a picture].",
"* {he} [was so proud of it|played with it until dark].",
"! it fell down [once|two times], but {he} built it again[, and {pet} sat beside it|, and it was "
    "good|].",
"! {friend} helped {him}, and soon it was done[|, and {pet} was the first to see it].",
"! {he} [did it all alone|worked until it was done].", "! soon it was done[| with some help].",
"! {pet} helped.", "! {pet} sat next to {him} until it was done.",
"~ one day {he} built a {made} out of {stuff}[ with {friend}| for {pet}|].",

"# a birthday surprise",
"= gift [red|blue|green|yellow] [bike|kite|hat|coat|drum|ball]",
"> it was {A}'s birthday, but nobody [said a word about it|seemed to know].",
"> `Today is my birthday!` thought {A} and jumped out of bed.",
"> on {his} birthday, {A} got up very early.", "- {A} could not wait for {his} birthday.",
": one day it was {his} birthday, but nobody said a word.",
"+ {he} went to the kitchen, but [nobody was there|it was empty].",
"? {he} asked {P}, `Do you know what day it is?` `No,` said {P}[ and smiled|].",
"? even {friend} [ran past and did not stop|had no time to play].",
"@ {he} went for a walk, and {pet} [walked with {him}|came along].",
"? nobody had a gift for {him}, and {A} felt [sad|alone]. `They forgot,` {he} thought.",
"? {he} [walked home slowly|went to {his} room|sat on the steps for a long time].",
". [then|in the evening], {he} opened the [big|back|kitchen] door, and [all {his} friends"
    "|everyone] called, `Surprise!`",
"? there was a big cake [with candles|with berries on top] on the table.",
"? {P} gave {him} a {gift}.", "& {pet} came in, too, and [got a bit of cake|sat under the table].",
"? {he} [laughed and cried at the same time|did not know what to say].",
"? they [ate cake|played games|sang] until [late|dark].",
"? `I [thought|was sure] you forgot,` said {A}. `Never,` said {P}.",
"* [it was the best birthday of all|{he} was the happiest {kid} in town].",
"! [in the evening|then] everyone came with a big cake and called, `Surprise!`",
"! [there was|{P} made] a big cake, and [{pet} came, too|all {his} friends came|even {pet} got a "
    "bit of it].",
"! then {P} gave {him} a {gift}, and {he} [was very happy|played with it all day|showed it to "
    "{pet}].", "! then there was cake for all.", "! then {P} came in with a {gift}.",
"! then {pet} came in with {P} and a cake.", "! {he} got {pet}.", "! there was cake.",
"~ on {his} birthday {he} got a {gift} from {P} [and was happy|and showed it to {pet}].",

"# a seed grows",
"= grows flower|tree|pumpkin|rose|bean",
"= pot in a pot|by the gate|in the garden|behind the house",
"> {A} put a small seed in the ground {pot}.", "> {P} gave {A} a seed and said, `Plant it {pot}.`",
"> `What will come out of this seed?` asked {A} and put it in the ground.",
"- {A} wanted a garden of {his} own.", ": one day, {he} planted a small seed {pot}.",
"+ {he} gave it water and [sat down to wait|sang it a song].",
". the next day, {A} [looked, but nothing was there|ran to see it, but there was only dirt].",
"+ `[Why does it not grow|Is it asleep]?` {he} asked. `[Wait|Give it time],` said {P}.",
"? every [day|morning] {he} gave it water[, and every day nothing came up|].",
"? days went by, and {he} [almost forgot it|did not give up].",
"@ {pet} [came by and sat down next to the spot|slept beside the seed in the sun].",
"? it rained, and then [the sun|a warm sun] came out.",
". [but then|then, one morning], there was a [little green leaf|tiny bit of green].",
"& {pet} [was there to see it|looked at it for a long time].",
"? it grew and grew, [past {his} knee|up to {his} nose|day after day].",
". in the [summer|end], it was a [big|fine|lovely] {grows}.",
"? `[I made it|We did it],` said {A}. `[With some help from the sun|It only needed time].`",
"? {he} gave [one of its seeds|a seed from it] to {friend}.",
"* [good things take time|{A} learned to wait|{A} was as proud as could be].",
"! {A} gave it water every day, and [it grew into|soon there was] a big {grows}.",
"! {A} [waited|took care of it] all spring, and it became a {grows}[| that even {pet} liked].",
"! {A} and {pet} waited, and one day there was a {grows}.", "! it grew and grew.",
"! it grew into a {grows}.", "! {pet} slept on it, but it grew.", "! {pet} ate it.",
"~ {he} planted a seed, and it grew into a {grows}[ for {him} and {pet}|].",

"# waiting",
"= wait the bread to be ready|{P} to come home|the bus|a letter from {P}|the first snow|the moon "
    "to come up", "> {A} was waiting for {wait}.",
"> `[Is it time yet|How long will it take]?` asked {A}.",
"> it is hard to wait, and {A} had to wait for {wait}.", "- {A} did not like to wait.",
": one [day|evening], {he} had to wait for {wait}.",
"+ {he} looked [at the clock|out of the window] again and again.",
". {he} waited [and waited|a little|for a long time], but nothing happened.",
"? `[It is so slow|I want it now]!` {he} said.",
"? `Count to one hundred,` said {friend}. {A} counted to ten and stopped.",
"@ {pet} came and [sat down to wait with {him}|lay down beside {him}].",
"? {he} [drew a picture of a ship|sang every song {he} knew|told {himself} a story].",
"? then {he} [counted the birds on the roof|made a hat out of paper|built a little tower of cups].",
"& {pet} [watched everything {he} did|closed its eyes and slept].",
"? [it was fun, and {he} forgot the time|time went by, and {he} did not see it].",
". [and then|then, all at once], the wait was over.",
"? `[Oh|So soon]!` {he} said. `[That was fast|It did not take so long].`",
"? {A} [jumped up|clapped {his} hands|danced around the room].",
"* [time goes fast when you have something to do|the best things are worth the wait|it was even "
    "better because {he} had waited].",
"! {he} [sang a song|drew a picture|told {pet} a story|played with {pet}], and then the wait was "
    "over.",
"! it took [all day|a long time], but {he} [was good|did not cry], and [it was worth it|{pet} "
    "waited with {him}].", "! soon the wait was over.", "! {he} played with {pet} until then.",
"! {pet} waited, too.",
"~ {he} had to wait for {wait}, and {he} [sang until it was time|played with {pet} until then].",

"# a new friend",
"= game hide and seek|ball|a game|with the blocks",
"= where the park|the school yard|the playground|the beach",
"> {A} was new in town and had no one to play with.", "> <day>, {A} went to {where} all alone.",
"> {A} sat alone at {where}.", "- {A} [did not have many friends|was shy and did not talk much].",
": one day, {he} went to {where} alone.", "+ {he} [looked at {his} shoes|did not know what to do].",
"+ all the others [played in twos|had someone to play with|ran past and did not see {him}].",
"+ the sky was blue, but {A} felt [gray|sad] inside.",
". there was a child named {B} who [was shy|had no one to play with].",
"? they looked at each other and [said nothing|looked away].",
"? `[What if {bhe} does not like me|I do not know what to say],` {A} thought.",
"@ [just then|then], {pet} ran between them, and they both laughed.",
". {A} [took a deep breath and|went over and|smiled and] said, `Do you want to play {game}?`",
". `[Yes|Yes, please|I would like that]!` said {B}.",
"? they played {game} until [the sun went down|they were tired|it was time for dinner].",
"& {pet} [played with them|ran after them everywhere].",
"? {A} [showed {B} the best tree|gave {B} half of a bun|shared an apple with {B}].",
"? `[Will you come again|See you] tomorrow?` asked {B}. `[Yes|Of course]!` said {A}.",
"? [that night, {A} told {P} about it|at home, {A} could not stop talking about {B}].",
"* [now {A} was not alone any more|one kind word can make a friend|from then on, they met every "
    "day].",
"! [then {B} came and said hello|{he} said hello to {B}], and [soon they were friends|they played "
    "{game} all day].", "! {B} came up with {pet}, and soon they all played together.",
"! {he} met {pet}, and then {he} met {B}.", "! [soon|then] {he} met {B}.",
"! {he} met {pet} and was not alone.",
"~ one day {he} met {B} at {where}, and they became friends[| because of {pet}].",

"# broken and mended",
"= dear kite|doll|boat|wagon|chair|clock|cart", "= old [old|red|favorite|little] {dear}/{dear}",
"> {A}'s {old} [was broken|fell and broke].", "> `Oh no, my {old} is broken!` cried {A}.",
"> <day>, {A} [dropped {his} {old}|fell over {his} {old}], and it broke.",
"- {A} had a {old} [from {P}|that was very dear to {him}].",
": one day, {his} {old} fell and broke.",
"+ one side of it was [cracked|bent], and a part was gone.",
"? {he} [looked at the parts and cried|did not want to play with anything else].",
"? `We can buy a new one,` said {P}. But {A} wanted this one.",
"@ {pet} [came with the missing part in its mouth|sat down next to the broken {dear}].",
"? `[Do not cry|Let me see],` said {P}. `[We can fix it|Bring me the glue].`",
"? {A} [found|went to get] [some string|a nail|a bit of wood] in the shed.",
". [so|then] {they} [worked on it all afternoon|took glue and string and fixed it|put it back "
    "together, bit by bit].", "= they {he} and {P}",
"? {A} held the parts, and {P} [tied|put on] the string.",
"& {pet} [sat very still and watched|lay by the {dear} until it was dry].",
". [in the end|at last|when it was done], the {dear} was [as good as new|whole again].",
"? {he} painted a [star|sun|flower] on the spot where it had been broken.",
"? `I like it even more now,` said {A}.",
"* [broken things can be made whole|{A} took good care of it after that].",
"! {P} [helped {him} fix it|fixed it with glue], and [it was as good as new|{he} was happy again"
    "|{pet} watched].",
"! {he} fixed it [all alone|with string|with glue][, and {pet} sat beside {him}|].",
"! {P} fixed it[|, and {pet} watched| for {him} and {pet}].", "! {he} fixed it with [glue|{P}].",
"~ one day {he} broke {his} {old}, but {P} fixed it[| while {pet} looked on].",

"# bedtime",
"= see the moon|a star|a soft light|the stars", "> it was late, but {A} could not sleep.",
"> `I am not tired,` said {A} [at bedtime|when {P} turned off the light].",
"> at night, {A} was afraid of the dark.", "- {A} did not like [bedtime|to go to bed].",
": one night, {he} lay in bed and could not sleep.",
"+ {he} turned to one side and then to the other.",
"? the room was [very|so] dark, and [the wind was loud|there was a big shadow on the wall].",
". {he} [called|asked for] {P}, and {P} [came in|sat down on the bed].",
"? {he} asked for [water|a story], and then for [a hug|a song].",
"? `Close your eyes,` said {P}. `Think of [the sea|a warm beach|a field of flowers].`",
"? `Look,` said {P}, and they saw {see} in the window.",
"@ {pet} came in [on soft feet|without a sound] and lay down [by|at the end of] the bed.",
"? {P} [sang a song|told a story] about a [fish|king|bear] who [was lost and came home|wanted to "
    "fly to the moon|lost his hat].", "? {A} [held the blanket tight|smiled|felt warm now].",
"& {pet} was warm and soft, and that helped.",
". [soon|bit by bit], {his} eyes [closed|grew heavy], and {he} [slept|fell asleep].",
"? {he} [had a dream about a boat made of stars|slept until the sun came up].",
"? `Good night, {A},` said {P}[ in a low voice|].",
"* [the dark is only the day asleep|in the morning, {he} was not tired at all|all was quiet in the "
    "house].", "! {P} sang {him} a song, and {he} fell asleep[| next to {pet}].",
"! {pet} lay down [beside {him}|at {his} feet], and [soon {he} slept|{he} fell asleep].",
"! {he} counted the stars and slept before {he} got to ten.", "! {P} sang, and {he} slept.",
"! then {pet} lay down beside {him}.", "! then {pet} came.",
"~ one night {he} could not sleep, so {P} sang to {him}[| and {pet} lay on the bed].",

"# cooking",
"= dish some soup/the soup|a pie/the pie|some bread/the bread|a cake/the cake",
"= lack salt|butter|milk", "> {A} and {P} wanted to make {dish}.",
"> <day>, {A} wanted to make {dish} for {P}.", "> `May I help you make {dish}?` asked {A}.",
"- {A} liked to be in the kitchen with {P}.", ": one day, {he} wanted to make {dish} for {P}.",
"+ {A} put on a [big|white] hat and washed {his} hands.",
"? {he} [took a big bowl and a spoon|put everything on the table].",
". but [there was no {lack} in the house|the {lack} was all gone].",
"? `What now?` said {A}. `We need {lack}!`",
". so {he} went next door and asked {friend} for [some|a cup of] {lack}.",
"? `[Here you are|Take all you need],` said {B}. `[What is it for|Can I help you]?`",
"@ on the way back, {pet} [walked beside {him}|came along with {him}].",
"? {A} [carried the {lack} home with care|ran home as fast as {he} could].",
"? they [put in a little of this and a little of that|mixed and mixed until their arms hurt].",
". soon {dish} was [done|ready], and it [smelled so good|was good].",
"& {pet} sat by the [table|door] and hoped for a bit of it.",
"? {A} gave the first [bite|taste] to {B}. `Yum!` said {B}.",
"? they all [ate until nothing was left|sat down to eat].",
"* [warm food makes everyone happy|`Next time, I will make it all alone,` said {A}|{A} was a good "
    "little cook].",
"! there was no {lack}, but {friend} [had some|gave them some], and {dish} was good.",
"! {he} [mixed and mixed|did everything right], and soon they all ate {dish}[|, and {pet} got a "
    "bite].", "! {pet} [came to smell it|sat by the door], and soon they ate {dish}, still warm.",
"! it was [so|very] good.", "! even {pet} liked it.",
"~ one day {he} made {dish} for {P}[ all alone|, and {pet} got a bite|].",

"# a race",
"= goal the big tree|the river|the red gate|the top of the hill", "> {A} and {friend} had a race.",
"> `I am faster than you,` said {B} to {A}.", "> <day>, {A} and {friend} ran in a big race.",
"- {A} [loved to run|wanted to win a race].", ": one day, {he} ran a race with {friend}.",
"+ `[One, two, three, go|Ready, set, go]!` called {P}.",
". they ran [as fast as they could|like the wind] to {goal}.",
"+ at first {B} was far ahead, but then {A} [ran faster|came close].",
"@ {pet} ran [beside them|after them], faster than both.",
". [then|but then], {B} [fell down|hit a stone and fell] and hurt {bhis} knee.",
"? {A} could [see {goal}|win now]. {He} thought about it [for a moment|as {he} ran].",
". {A} [stopped and|did not run on, but] went back to help.",
"? `[Does it hurt|Can you walk]?` {he} asked. `[Only a little|It hurts a bit],` said {B}.",
"? `[But now you will not win|Why did you stop]?` asked {B}. `[A friend is more than a race|I do "
    "not mind],` said {A}.", "& {pet} came back to see what was wrong.",
". they [walked|went] on together, hand in hand[, and came in last|, and nobody won|].",
"? everyone [clapped for them|was proud of them].",
"? {P} gave them [both a big apple|a cold drink].",
"? [to be kind is better than to win|{A} felt as if {he} had won].",
"* [it was a good race|the next day they ran again|they were still good friends].",
"! {B} fell, and {A} stopped to help[|, and {pet} did, too], so they both came in last.",
"! {he} ran like the wind and [won|came in second], but {pet} was [even faster|there first].",
"! {he} did not win, but {he} [had fun|was happy for {B}][|, and {pet} ran with {him}].",
"! they [both won|came in hand in hand].", "! {pet} won.",
"~ one day {he} ran a race with {friend}[ and won| and {pet}, and {pet} won].",

"# a borrowed thing",
"= loan book|hat|scarf|ball|drum|umbrella|bag", "= lent {color} {loan}/{loan}",
"> {A} asked {friend}, `Can I borrow your {lent}?`",
"> {A} wanted to borrow the {lent} that {friend} had.",
"> `You can have my {lent} for one day,` {B} told {A}.",
"- {A} liked the things that {his} friends had.", ": one day, {friend} let {him} borrow a {lent}.",
"+ `[Please take care of it|But take good care of it|Bring it back tomorrow],` said {B}.",
"+ {A} [took it everywhere|played with it all morning|showed it to everyone].",
". but [on the way home|by the pond], {he} fell, and the {loan} [got all dirty|was full of mud].",
"? `Oh no! What will {B} say?` {he} [cried|thought].",
"? first {A} wanted to hide it [in a box|under the bed].",
"@ [just then|then], {pet} came and looked at the {loan} and then at {him}.",
"? {P} [saw it and said|said], `[You can clean it|It is only mud, {A}].`",
". so {he} [washed|cleaned] the {loan} [until it was clean|with water and a lot of care].",
"& {pet} sat beside it in the sun while it dried.",
". then {he} [took|gave] it back to {B} and [said what had happened|told {bhim} everything].",
"? `[I was afraid to tell you|I am so sorry],` said {A}.",
"? `You can borrow it again,` said {B}[ with a smile|].",
"* [take care of a thing as if it were yours|they stayed good friends|from then on, {A} was very "
    "careful].", "! {he} got mud on it, but {he} washed it and gave it back.",
"! {he} took [good|great] care of it and gave it back the next day[|, and {pet} came along].",
"! {he} lost it, but {pet} found it, and {he} gave it back.",
"! {he} [soon gave it back|gave it back clean].", "! {he} and {pet} took good care of it.",
"~ one day {pet} found {friend}'s {loan}, and {he} gave it back.",
"~ one day {he} borrowed a {lent} from {friend} and gave it back clean[|, with {pet} at {his} "
    "side].",

"# stuck in a tree",
"= flies kite|hat|ball|balloon|scarf", "= fly [red|blue|green|yellow] {flies}/{flies}",
"> the wind took {A}'s {fly} and put it in a tree.",
"> {A}'s {fly} was stuck [high up|at the top of|up] in a tree.",
"> `My {fly} is in the tree!` cried {A}.", "- {A} [got|had] a new {fly} and ran to the park.",
"- {A} loved days with a lot of wind.", ": one day, the wind took {his} {fly} up into a tall tree.",
"+ {he} jumped and jumped, but {he} [was too small|could not reach it].",
"+ {he} threw a stick at it, but the stick [came down alone|got stuck, too].",
"? {he} shook the tree, and [leaves fell down|an apple fell on {his} head], but not the {flies}.",
"@ {pet} [came and looked up at it, too|sat down under the tree and waited].",
"? {friend} came by[ and asked what was wrong|]. `[You need to be taller|Let me think],` said {B}.",
"? {friend} [climbed on {his} back|held a long stick], but it was still too high.",
". [then|at last], [{P} came with a long ladder|a tall man with a ladder came by|the wind blew "
    "again, the other way].",
". [down came the {flies}|and soon the {flies} was back in {his} hands].",
"& {pet} [jumped up and down|ran around the tree] with joy.",
"? `Thank you, thank you!` {A} [called|said].",
"? {he} tied a string to it so that it could not fly away again.",
"* [after that, {A} played far from the trees|`That tree likes your {flies},` {P} laughed|what "
    "goes up must come down].",
"! [{P} came with a ladder and got it down|the wind blew again, and down it came][|, right next to "
    "{pet}].", "! {he} threw a ball at it, and it fell down[ on {pet}|], and {he} laughed.",
"! {he} shook the tree, and it fell down[| in front of {pet}].", "! the wind gave it back.",
"! soon it came down[| on {pet}].", "! {pet} got it.", "! {he} got it down.",
"~ one day the wind took {his} {fly}, but it came [back|down again][ in front of {pet}|].",

"# a quarrel",
"= both drum|ball|wagon|swing|boat|train|doll", "= only [red|blue|big|new] {both}/{both}",
"> {A} and {friend} both wanted the {only}.",
"> `It is my turn!` said {A} [to {B}|and took the {only}].",
"> there was only one {only}, but both {A} and {friend} wanted it.",
"- {A} and {friend} were [always together|the best of friends].",
": one day, {he} and {friend} both wanted to play with the {only}.",
"+ `I had it first!` said {A}. `No, I did!` said {friend}.",
". {A} and {friend} [pulled and pulled|shouted at each other], until [both of them cried|{B} ran "
    "away].", "+ `I will never play with you again,` [said|shouted] {friend}.",
"? {A} played alone[, but it was no fun| for a while, but it was not the same].",
"@ {pet} [came up to {him} and put its head on {his} knee|looked at {him} with sad eyes].",
"? {P} [had seen it all and asked|asked], `What is worth more, a {both} or a friend?`",
"? {A} [thought about it|was quiet] for a long time.",
". [then|at last], {A} [went to {B}|took the {both} to {B}] and said, `I am sorry.`",
"? `I am sorry, too,` said {B}.", ". so they took turns[, first {B}, then {A}|, and it was fun|].",
"& {pet} [ran around them|sat between them], happy again.",
"? they even made up a new game with it.",
"* [a friend is worth more than a {both}|they laughed about it the next day|{A} was glad to have "
    "{his} friend back].",
"! [first|at first] they both cried, but then they [took turns|said sorry].",
"! {he} [let {friend} go first|gave it to {friend}], and [they were friends again|they took "
    "turns].",
"! but {pet} came along, and they [forgot the {both}|both laughed] and played with it.",
"! {pet} took it.", "! they took turns[|, and {pet} watched].",
"! then they [said sorry|played together].",
"~ one day {he} and {friend} [fought, but then they said sorry|fought, but {pet} made them laugh].",

"# something found, and given back",
"= prize gold ring/ring|little bag of money/bag|silver watch/watch|red purse/purse|big key/key",
"> {A} found a {prize} on the [path|street|ground].", "> <day>, {A} saw a {prize} in the grass.",
"> `Look, a {prize}!` said {A}[| to {friend}].",
"- {A} often looked at the ground when {he} walked.",
": one day, {he} found a {prize}[ by the road| near the park|].",
". [{he} liked the {prize} so much that|it was so nice that] {he} wanted to keep it.",
"+ {he} put it in {his} pocket and [went on|looked around].",
"+ `I could [buy a lot of cake|show it to everyone],` {he} thought.", "@ <came>",
". [then|a little later], {he} saw {owner}, who [looked around on the ground|was very sad].",
"= owner [an old woman/the woman|an old man/the man]",
"? `Did you lose something?` asked {A}. `Yes, [it was a gift from my son|and I need it so much],` "
    "said {owner}.",
"? {A} [held it in {his} hand|thought about it]. It was [hard|not easy] to let it go.",
". {A} [took it out and|was honest and] gave it back to {owner}.",
"? `Thank you! You are an honest {kid},` said {owner}.",
"& {pet} [walked around them|sat down beside them] as if to say, `Well done.`",
"? {owner} gave {him} [a sweet|an apple|a big smile].",
"? at home, {he} told {P}, and {P} [was proud|hugged {him}].",
"* [what is not yours can not make you happy|{A} felt richer than before|it feels good to be "
    "honest].", "! {he} looked for the owner and gave the {prize} back.",
"! {he} [asked|looked] everywhere[|, with {pet} at {his} side,] until {he} found the owner.",
"! {he} gave it back[| to {owner}].", "! {he} and {pet} took it to the owner.",
"~ one day {he} found a {prize} and gave it back to {owner}[| with {pet}].",
NULL};

// ------------------------------------------------------------------------------------------------
// Chance. Integers only, so that all machines agree (splitmix64, Steele et al. 2014).

static uint64_t rng_state;

static int below(int n) {       // 0 .. n-1
    uint64_t z = rng_state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (int)((z ^ (z >> 31)) >> 33) % n;
}

static int chance(int percent) { return below(100) < percent; }

// ------------------------------------------------------------------------------------------------
// A draft: the text so far and the variables drawn so far. A plain struct, so that an assignment
// copies it: we go back to the opening sentence as often as we like.

typedef struct { char name[8], value[48]; } Variable;

typedef struct {
    char text[2048];
    int n, n_vars;
    Variable var[32];
} Draft;

static const char **plot;       // the plot we write: its first line in the book

static void fail(const char *what, const char *where) {
    fprintf(stderr, "stories: %s: %s\n", what, where);
    exit(1);
}

static void put(Draft *d, char c) {
    if (d->n + 1 >= (int)sizeof d->text) fail("too long", d->text);
    d->text[d->n++] = c;
    d->text[d->n] = 0;
}

static Variable *find_variable(Draft *d, const char *name) {
    for (int i = 0; i < d->n_vars; i++)
        if (!strcmp(d->var[i].name, name)) return &d->var[i];
    return NULL;
}

static Variable *set(Draft *d, const char *name, const char *value) {
    if (d->n_vars == 32 || strlen(name) >= 8 || strlen(value) >= 48) fail("no room for", name);
    Variable *v = &d->var[d->n_vars++];
    strcpy(v->name, name);
    strcpy(v->value, value);
    return v;
}

// The animal is there once its first form, "a dog", has been used up.
static int animal_is_there(Draft *d) { return !strchr(find_variable(d, "pet")->value, '/'); }

// ------------------------------------------------------------------------------------------------
// The grammar's interpreter

static int is_end(const char *line) { return !line || *line == '#'; }

// The alternatives of `= name a|b`: this plot's, else what all plots share.
static const char *find_rule(const char *name) {
    size_t length = strlen(name);
    const char **places[2] = {plot, book + 1};
    for (int i = 0; i < 2; i++)
        for (const char **line = places[i]; !is_end(*line); line++)
            if (**line == '=' && !strncmp(*line + 2, name, length) && (*line)[2 + length] == ' ')
                return *line + 3 + length;
    fail("no rule for", name);
    return NULL;
}

// First '|' at our own level of brackets, or the ']' that closes it, or the end of the text.
static const char *skip_one(const char *s) {
    for (int depth = 0; *s; s++) {
        if (depth == 0 && (*s == '|' || *s == ']')) break;
        depth += (*s == '[') - (*s == ']');
    }
    return s;
}

static void expand(Draft *d, const char *s);

// Writes one of the alternatives that begin at s; returns where they end.
static const char *expand_one_of(Draft *d, const char *s) {
    int count = 1;
    const char *end = skip_one(s);
    for (; *end == '|'; end = skip_one(end + 1)) count++;
    for (int i = below(count); i > 0; i--) s = skip_one(s) + 1;
    expand(d, s);
    return end;
}

// A sentence begins after . ! or ? and a space; and what follows direct speech is as good a place.
static int begins_sentence(const Draft *d) {
    return d->n == 0 || (d->n > 1 && d->text[d->n - 1] == ' ' && strchr(".!?\"", d->text[d->n - 2]));
}

// Writes a variable. Where {he} begins a sentence, the hero is more often called by name, as in
// stories for small children; so the model sees often enough that names recur.
static void expand_variable(Draft *d, const char *name) {
    char key[8];
    snprintf(key, sizeof key, "%s", name);
    Variable *v = find_variable(d, key);
    int capital = !v && isupper((unsigned char)*key) && key[1];     // {He}, but not {A}
    if (capital) {
        key[0] = (char)tolower((unsigned char)*key);
        v = find_variable(d, key);
    }
    if (!strcmp(key, "he") && begins_sentence(d) && chance(80)) v = find_variable(d, "A");
    if (!v) {       // first use: write its value behind the text, and cut it off from there
        int start = d->n;
        expand_one_of(d, find_rule(key));
        v = set(d, key, d->text + start);
        d->n = start;
    }
    int start = d->n;
    char *later = strchr(v->value, '/');
    for (const char *c = v->value; *c && c != later; c++) put(d, *c);
    if (capital) d->text[start] = (char)toupper((unsigned char)d->text[start]);
    if (later) memmove(v->value, later + 1, strlen(later));
}

// Writes s up to its end, or to the '|' or ']' where an alternative ends.
static void expand(Draft *d, const char *s) {
    while (*s && *s != '|' && *s != ']') {
        if (*s == '[') {
            s = expand_one_of(d, s + 1) + 1;
        } else if (*s == '{' || *s == '<') {
            size_t length = strcspn(s + 1, "}>");
            char name[8];
            snprintf(name, sizeof name, "%.*s", (int)length, s + 1);
            if (*s == '{') expand_variable(d, name);
            else expand_one_of(d, find_rule(name));
            s += length + 2;
        } else {
            put(d, *s == '`' ? '"' : *s);
            s++;
        }
    }
}

// Adds a beat: whole sentences, with their capitals and articles put right.
static void add_sentences(Draft *d, const char *s) {
    if (d->n) put(d, ' ');
    int start = d->n, capital = 1;
    expand(d, s);
    for (int i = start; i < d->n; i++) {
        char *c = d->text + i;
        if (isalpha((unsigned char)*c)) {
            if (capital) *c = (char)toupper((unsigned char)*c);
            capital = 0;
        }
        if (*c == '.' && c[-1] == '"') {       // ". becomes ." and !". becomes !"
            if (strchr(",.!?", c[-2])) {
                d->text[--d->n] = 0;
            } else {
                c[-1] = '.';
                *c = '"';
            }
        }
        // After ?" the sentence may go on with "said", so a capital there is the book's business.
        if (*c == ' ' && (strchr(".!?", c[-1]) || (c[-1] == '"' && c[-2] == '.'))) capital = 1;
    }
    for (int i = start; i + 2 < d->n; i++) {
        char *c = d->text + i;
        if (tolower((unsigned char)*c) != 'a' || c[1] != ' ' || !strchr("aeiou", c[2])) continue;
        if (i > 0 && isalpha((unsigned char)c[-1])) continue;
        put(d, '.');        // room for the n
        memmove(c + 2, c + 1, strlen(c + 1) - 1);
        c[1] = 'n';
    }
}

// ------------------------------------------------------------------------------------------------
// Lengths. A row of the model holds 24 tokens of opening sentence and 103 of the rest with its
// end-of-text token. We stay a little below, because the tokens are not known for sure.

enum { OPENING_MAX = 21, REST_MIN = 6, REST_MAX = 95, DRAFTS = 100 };

// Counts the tokens of s: each piece is one, since the tokenizer (dev/tok.c -V 1536) learns nearly
// every piece of the stories whole. A piece is an optional space with the letters after it, the space
// before a quote, or a run of punctuation.
static int tokens(const char *s) {
    int count = 0;
    while (*s) {
        const char *start = s;
        s += *s == ' ';
        while (isalpha((unsigned char)*s)) s++;
        if (s == start) while (*s && *s != ' ' && !isalpha((unsigned char)*s)) s++;
        count++;
    }
    return count;
}

// Where the opening sentence ends: behind its first . ! or ? and a quote right after that.
static int opening_length(const char *text) {
    int n = (int)strcspn(text, ".!?") + 1;
    return n + (text[n] == '"');
}

// A length for the rest: a wide triangle on a slab, so that neither end is rare.
static int draw_length(void) {
    int half = (REST_MAX - REST_MIN) / 2;
    return REST_MIN + (chance(60) ? below(2 * half + 1) : below(half + 1) + below(half + 1));
}

// ------------------------------------------------------------------------------------------------
// A story

static const char *line_with(char mark) {       // one of the plot's lines with this mark
    const char *found = NULL;
    int count = 0;
    for (const char **line = plot; !is_end(*line); line++)
        if (**line == mark && below(++count) == 0) found = *line + 2;
    if (!found) fail("a mark is missing in the plot after", plot[-1]);
    return found;
}

static const struct { const char *he, *him, *his, *himself, *kid, *names[6]; } sexes[2] = {
    {"she", "her", "her", "herself", "girl",
        {"Lily", "Mia", "Anna", "Sue", "Mary", "Zoe"}},
    {"he", "him", "his", "himself", "boy",
        {"Tom", "Ben", "Max", "Sam", "Tim", "Leo"}},
};
static const char *creatures[] = {"bear", "rabbit", "fox", "duck", "pig"};

// The hero, and a friend of the other sex: so "he" and "she" are never in doubt.
static void cast(Draft *d, const char *animal) {
    char pet[32];
    int sex = below(2), other = !sex;
    d->n = d->n_vars = 0;
    set(d, "A", sexes[sex].names[below(6)]);
    set(d, "he", sexes[sex].he);
    set(d, "him", sexes[sex].him);
    set(d, "his", sexes[sex].his);
    set(d, "himself", sexes[sex].himself);
    set(d, "kid", chance(75) ? sexes[sex].kid : creatures[below(5)]);
    set(d, "B", sexes[other].names[below(6)]);
    set(d, "bhe", sexes[other].he);
    set(d, "bhim", sexes[other].him);
    set(d, "bhis", sexes[other].his);
    snprintf(pet, sizeof pet, "a %s/the %s", animal, animal);
    set(d, "pet", pet);
}

// Follows the opening sentence with one of the plot's endings or with all its beats. The share of
// lines that can be left out is drawn anew each time, so that drafts come in all lengths; all lines
// together would be twice too long. A short ending is never ruled out, as some draft must fit.
static void write_rest(Draft *d, int set_up, int animal, int target) {
    int share = below(61), brief = target < below(120);
    int very_brief = set_up && brief && target < below(40);
    char end = very_brief ? '~' : '!';
    if (very_brief && target < below(32)) {
        add_sentences(d, "<life>");
        if (chance(share)) add_sentences(d, "<glad>");
        return;
    }
    if (set_up && !very_brief && chance(share)) add_sentences(d, "<who>");
    if (set_up && !very_brief) add_sentences(d, line_with(':'));
    for (const char **line = plot; !is_end(*line); line++) {
        int there = animal_is_there(d), now = 0;
        switch (**line) {
            case '.': now = !brief; break;
            case '?': now = !brief && chance(share); break;
            case '@': now = !brief && animal && !there; break;
            case '&': now = !brief && there && chance(share); break;
            case '+': now = !very_brief && chance(share); break;
            case '*':
                if (brief && end) add_sentences(d, line_with(end));
                end = 0;
                now = chance(share);
                break;
        }
        if (now) add_sentences(d, *line + 2);
    }
    if (brief && end) add_sentences(d, line_with(end));
    if (chance(share)) add_sentences(d, very_brief ? "<glad>" : "<coda>");
}

static void write_story(void) {
    static Draft opening, draft, best;
    const char *animal = chance(60) ? "dog" : "cat";
    int wanted = chance(50), set_up;

    do {
        int n_plots = 0;
        for (int i = 1; i < (int)(sizeof book / sizeof *book); i++)
            if (book[i] && *book[i] == '#' && below(++n_plots) == 0) plot = book + i + 1;
        cast(&opening, animal);
        set_up = chance(60);
        const char *own = line_with(set_up ? '-' : '>');
        add_sentences(&opening, set_up && chance(75) ? "<hello>" : own);
        draft = opening;
        draft.text[opening_length(draft.text)] = 0;
    } while (tokens(draft.text) > OPENING_MAX);

    // Of many drafts with an animal, or without, as the coin fell, keep the nearest in length.
    int target = draw_length(), best_gap = 1000;
    for (int i = 0; best_gap > (i < DRAFTS ? 1 : 999); i++) {
        draft = opening;
        write_rest(&draft, set_up, wanted, target);
        if (animal_is_there(&draft) != wanted) continue;
        int length = tokens(draft.text + opening_length(draft.text)) + 1;
        int gap = abs(length - target);
        if (length > REST_MAX || gap >= best_gap) continue;
        best = draft;
        best_gap = gap;
    }
    if (best_gap == 1000) fail("no draft fits in the plot after", plot[-1]);
    printf("%s<|endoftext|>\n", best.text);
}

static int number(const char *s, uint64_t *value) {      // plain decimal digits, and nothing else
    if (!*s || strlen(s) > 18 || s[strspn(s, "0123456789")]) return 0;
    *value = strtoull(s, NULL, 10);
    return 1;
}

int main(int argc, char **argv) {
    uint64_t count = 21500, seed = 1;
    if (argc > 3 || (argc > 1 && !number(argv[1], &count)) ||
        (argc > 2 && !number(argv[2], &seed)) || count == 0) {
        fprintf(stderr, "usage: stories [COUNT [SEED]]  (COUNT > 0; default 21500 1)\n");
        return 2;
    }
    rng_state = seed;
    while (count-- > 0) write_story();
    if (fflush(stdout) || ferror(stdout)) fail("cannot write", "stdout");
    return 0;
}
