//go:build programs

package main

import (
	"math/rand/v2"
	"strings"
)

// The names of patients: real ones, so that a search meets what it meets in life: words within words, two letters
// that many names hold, letters beyond ASCII.
var (
	firstNames = strings.Fields(`Aaliyah Aaron Abdul Ada Adam Adèle Agnieszka Ahmed Aiko Aisha Alan Alba Alejandro Alice Amara Amélie
		Amina Ana Anders André Andrzej Angela Anh Anita Anna Antonio Anwar Aoife Ariadna Arjun Astrid Ayşe Ayumi Bao Barbara Beatriz
		Benjamin Bianca Björn Bojan Brigitte Bruno Camila Carlos Carmen Cecilia Chiara Chidi Chloé Christine Clara Claude Cláudia Conor
		Daan Dagmar Daisuke Dana Daniel Daria David Deepak Diego Dimitra Dmitri Dolores Dominik Eduardo Efua Eileen Ekaterina Elena Elif
		Elias Eliška Emeka Emil Emma Enrique Erik Esra Esther Eun-ji Eva Fabio Fatima Felix Femke Fernando Fiona Florian Francesca
		Freya Gabriel Georgios Giulia Goran Grace Greta Guadalupe Guillaume Gunnar Habib Hana Hanna Hannes Haruto Hassan Heidi Helena
		Henrik Hiroshi Hugo Ibrahim Ida Ignacio Ilse Imani Ines Ingrid Irina Isabel Ivan Jakob James Jana Javier Jelena Jens Jiří Joana
		Johan Jorge Josephine Joyce Jürgen Kamila Karim Karin Katarzyna Kenji Khadija Kim Klaus Kofi Krzysztof Kwame Lars Laura Layla Leila
		Lena Leonardo Li Liam Lin Linh Lorenzo Louise Lucas Łukasz Luz Magdalena Malik Manuel Marek Margit Maria Mario Marta Mary Mateo
		Matthias Mehmet Mei Mia Miguel Mikael Milan Min-jun Miriam Mohamed Monika Nadia Naoko Natalia Nguyệt Niamh Nikolai Nina Noah Noor
		Olga Oliver Omar Oscar Özlem Pablo Patricia Paulo Pedro Petra Philippe Pia Priya Quang Rachel Rafael Rahul Raúl Rebecca Renata
		Robert Rosa Ruth Sakura Salma Samuel Sandra Sara Sean Sebastián Selin Sergei Shanti Siobhán Sofia Søren Stefan Sunita Susanne
		Svetlana Tadeusz Tamara Tariq Teresa Thandiwe Thomas Tomás Tuan Ulrike Umar Ursula Valentina Vera Victor Vikram Wanjiru Wei
		Werner William Xiomara Yara Yasmin Yolanda Youssef Yuki Yusuf Zahra Zeynep Zoë Zuzana`)
	lastNames = strings.Fields(`Abdi Adeyemi Aguilar Ahmed Ahlgren Alvarez Andersen Andersson Antonov Arslan Baker Banerjee Barbosa Bauer
		Becker Begum Bell Bennett Berg Bianchi Björklund Blanc Bondarenko Borg Brandt Brown Burke Byrne Campbell Cardoso Carlsson Castillo
		Chan Chen Choi Christensen Clarke Colombo Conti Costa Cruz Çelik Da-Silva Dahl Davies De-Jong Demir Diallo Díaz Dinh Dubois Dumont
		Duran Eriksen Esposito Evans Eze Farah Fernandes Ferrari Fischer Fitzgerald Flores Fontaine Fournier Freitas Friedrich Fuchs
		García Gallagher Gallo Garnier Ghosh Gomes González Graf Green Greco Gruber Gupta Gustafsson Gutiérrez Haas Haddad Hahn Hall Hansen
		Harris Hashimoto Hassan Hayashi Herrera Hill Hoffmann Holm Horvat Hosseini Huang Hughes Huber Ibrahim Ikeda Inoue Ionescu Ito
		Ivanov Jackson Jäger Janssen Jensen Jiménez Johansson Jones Jovanović Jung Kaiser Kamau Kang Kapoor Karlsson Kaya Keller Khan
		Kim Kimura King Kobayashi Koch Kovács Kowalski Krause Kruger Kumar Kurz Lam Lang Larsen Laurent Le Lee Lefèvre Lehmann Lewis Lim
		Lindberg Liu Lopes López Ludwig Lund Machado Maier Mancini Mansour Marques Martín Matsumoto Mayer Mbeki McCarthy Mehta Mendes
		Mensah Meyer Mitchell Mohamed Molina Moore Morales Moreau Moreno Morris Mukherjee Müller Murphy Mwangi Nagy Nair Nakamura Navarro
		Ndlovu Nelson Ng Nguyen Nielsen Nikolaidis Nilsson Nowak Nuñez O'Brien O'Connor Oduya Ogawa Okafor Okonkwo Olsen Ortega Ortiz
		Osei Owusu Öztürk Paltrow Papadopoulos Park Patel Pavlov Pereira Pérez Petersen Petrov Pham Phillips Popescu Power Quinn Rahman
		Ramírez Ramos Rao Rasmussen Reddy Reyes Ricci Richter Rivera Roberts Robinson Rodríguez Romano Romero Rossi Roth Rousseau Ruiz Russo
		Ryan Saito Salazar Sánchez Santos Sasaki Sato Schäfer Schmidt Schneider Scholz Schulz Schwarz Sharma Silva Simon Singh Şahin
		Soto Sousa Stein Suzuki Svensson Takahashi Tan Tanaka Taylor Thomas Thompson Torres Tran Traoré Turner Ueda Vargas Vasquez Vega
		Virtanen Vogel Volkov Wagner Walker Walsh Wang Watanabe Weber Weiß White Williams Wilson Winkler Wolf Wong Wright Wu Yamamoto Yang
		Yılmaz Yoshida Young Zhang Zhao Zimmermann`)
)

// Words to search for: rareName is one patient's in ten thousand, commonName one's in twenty, and two letters are
// found in many names, and as a whole name in some.
const (
	rareName   = "Quetzalcoatl"
	commonName = "Smith"
	twoLetters = "Ng"
)

// person invents a name. Every share of the table has its part of the common name, and the rare one is where it is
// wanted.
func person(random *rand.Rand, n int) string {
	first, last := firstNames[random.IntN(len(firstNames))], lastNames[random.IntN(len(lastNames))]
	switch {
	case n%10_000 == 3 || n%10_000 == 11 || n == shareOfFew:
		last = rareName
	case (n/10+n/1000)%20 == 1:
		last = commonName
	}
	return first + " " + last
}
